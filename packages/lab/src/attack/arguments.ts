/** The arguments of `npm run attack -- …`. */
import { parseArgs } from 'node:util';
import { LabError } from '../errors.ts';
import type { Attack } from './attack.ts';
import { ATTACKS } from './attacks.ts';

export interface AttackOptions {
  attacks: readonly Attack[];
  /** Duration of all attacks, without start and stop of the system. */
  seconds: number;
  /** TLS on every hop. */
  isSecure: boolean;
  /** Undefined: any. */
  seed: number | undefined;
  directory: string | undefined;
}

export type AttackArguments = { kind: 'help' } | { kind: 'list' } | { kind: 'run'; options: AttackOptions };

/** Five minutes including the start of the system. */
const DEFAULT_SECONDS = 270;
const MAX_SECONDS = 86_400;

export const USAGE = `Usage: npm run attack -- [options]

Plays what clients do wrong, by mistake or on purpose, against a running system, and measures what good clients notice.

  --scenario NAME   only this attack; may be repeated
  --seconds N       how long all attacks take together (default ${DEFAULT_SECONDS})
  --seed N          the same names and choices as in the run with this seed
  --tls             against a system with TLS on every hop
  --list            the attacks
  --directory DIR   for logs, YAML and Kafka's data (default .causeway/attack in the repository)
  --help            this text`;

/** Errors: `badArguments`, in one sentence. */
export function parseAttackArguments(argv: readonly string[]): AttackArguments {
  const values = readOptions(argv);
  if (values.help === true) return { kind: 'help' };
  if (values.list === true) return { kind: 'list' };
  const { scenario: names, seed, seconds, directory } = values;
  return {
    kind: 'run',
    options: {
      attacks: names === undefined ? ATTACKS : names.map(attackOf),
      seconds: seconds === undefined ? DEFAULT_SECONDS : readInteger('--seconds', seconds, 1, MAX_SECONDS),
      seed: seed === undefined ? undefined : readInteger('--seed', seed, 0, 2 ** 32 - 1),
      isSecure: values.tls === true,
      directory,
    },
  };
}

function readOptions(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        scenario: { type: 'string', multiple: true },
        seconds: { type: 'string' },
        seed: { type: 'string' },
        tls: { type: 'boolean' },
        list: { type: 'boolean' },
        directory: { type: 'string' },
        help: { type: 'boolean' },
      },
    }).values;
  } catch (cause) {
    throw new LabError('badArguments', cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

export function attackOf(name: string): Attack {
  const attack = ATTACKS.find((candidate) => candidate.name === name);
  if (attack === undefined) throw new LabError('badArguments', `There is no attack ${name}; --list names them.`);
  return attack;
}

function readInteger(option: string, text: string, least: number, most: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most))
    throw new LabError('badArguments', `${option} ${text}: must be a whole number from ${least} to ${most}.`);
  return value;
}
