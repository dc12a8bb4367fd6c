/** The arguments of `causeway traffic produce|consume`. */
import { hostname } from 'node:os';
import { bad, readGiven } from './given-options.ts';

/** What both kinds of client have in common. */
interface ClientOptions {
  /** An origin, without a path. */
  url: string;
  topic: string;
  /** Undefined: until SIGTERM. */
  seconds: number | undefined;
  /** PEM with the authority that signs the server's certificate; undefined: those that Node.js trusts. */
  caFile: string | undefined;
  /** Read again for each request: its issuer may replace it. */
  tokenFile: string | undefined;
  token: string | undefined;
}

export interface ProduceOptions extends ClientOptions {
  kind: 'produce';
  recordsPerSecond: number;
}

export interface ConsumeOptions extends ClientOptions {
  kind: 'consume';
  group: string;
  /** Members of the group in this process. */
  consumerCount: number;
  /** Consumers are named after it. */
  name: string;
  /** Whether other processes have consumers in the group: then a partition may have been read there for a while. */
  isGroupShared: boolean;
}

export type TrafficCommand = { kind: 'help' } | { kind: 'version' } | ProduceOptions | ConsumeOptions;

const DEFAULT_URL = 'http://localhost:8080';
const DEFAULT_RECORDS_PER_SECOND = 20;
/** One request for each record: more is a benchmark's work. */
const MAX_RECORDS_PER_SECOND = 1_000;
const MAX_CONSUMERS = 100;
const TOKEN_VARIABLE = 'CAUSEWAY_TOKEN';

export const TRAFFIC_USAGE = `Usage: causeway traffic produce --topic TOPIC [options]
       causeway traffic consume --topic TOPIC --group GROUP [options]

A client of any Kafka REST API, until SIGTERM: a producer of numbered records, or the consumers of a group. A line every
five seconds says what it has seen. It starts to count with the first success, so that it may start before the system.

  --url URL                 where the API is (default ${DEFAULT_URL})
  --topic TOPIC             must exist
  --seconds N               stop by itself after N seconds (default: never)
  --ca FILE                 PEM: the authority of the server's certificate (default: those of Node.js)
  --token-file FILE         token that is sent with each request (or set ${TOKEN_VARIABLE})
  --help                    this text
  --version                 the version of this program, and of Node.js

produce: each record is sent once. The exit code is 1 if one was not acknowledged.
  --rate N                  records a second (default ${DEFAULT_RECORDS_PER_SECOND})

consume: the exit code is 1 if offsets are missing between those that were delivered. Topics that are compacted or written
in transactions have such offsets by nature.
  --group GROUP             the group of the consumers
  --consumers N             consumers in this process (default 1)
  --name NAME               consumers are NAME-1, NAME-2, … (default: the name of the host)
  --shared-group            other processes consume in the group, too: missing offsets are theirs, and no error`;

const OPTIONS = {
  url: { type: 'string' },
  topic: { type: 'string' },
  seconds: { type: 'string' },
  ca: { type: 'string' },
  'token-file': { type: 'string' },
  rate: { type: 'string' },
  group: { type: 'string' },
  consumers: { type: 'string' },
  name: { type: 'string' },
  'shared-group': { type: 'boolean' },
  help: { type: 'boolean' },
  version: { type: 'boolean' },
} as const;

type OptionName = keyof typeof OPTIONS;

const ONLY_FOR: Readonly<Partial<Record<OptionName, 'produce' | 'consume'>>> = {
  rate: 'produce',
  group: 'consume',
  consumers: 'consume',
  name: 'consume',
  'shared-group': 'consume',
};

/** Errors: `badArguments`, in one sentence. */
export function parseTrafficArguments(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
): TrafficCommand {
  const { kind, given } = read(argv);
  if (given.has('help')) return { kind: 'help' };
  if (given.has('version')) return { kind: 'version' };
  if (kind !== 'produce' && kind !== 'consume') {
    throw bad(`${kind ?? 'The first argument'} must be produce or consume; --help has the rest.`);
  }
  const stray = [...given.keys()].find((name) => ONLY_FOR[name] !== undefined && ONLY_FOR[name] !== kind);
  if (stray !== undefined) throw bad(`--${stray} is an option of ${ONLY_FOR[stray]}.`);

  const topic = given.get('topic');
  if (topic === undefined) throw bad('--topic is missing.');
  const seconds = given.get('seconds');
  const tokenFile = given.get('token-file');
  const common: ClientOptions = {
    url: readUrl(given.get('url') ?? DEFAULT_URL),
    topic,
    seconds: seconds === undefined ? undefined : readNumber('--seconds', seconds, { min: 1, max: 1e9 }),
    caFile: given.get('ca'),
    tokenFile,
    // Explicit options beat the environment.
    token: tokenFile === undefined ? env[TOKEN_VARIABLE] || undefined : undefined,
  };
  const rate = given.get('rate') ?? String(DEFAULT_RECORDS_PER_SECOND);
  if (kind === 'produce') {
    const recordsPerSecond = readNumber('--rate', rate, { min: 1, max: MAX_RECORDS_PER_SECOND });
    return { kind, ...common, recordsPerSecond };
  }
  const group = given.get('group');
  if (group === undefined) throw bad('--group is missing.');
  return {
    kind,
    ...common,
    group,
    consumerCount: readNumber('--consumers', given.get('consumers') ?? '1', { min: 1, max: MAX_CONSUMERS }),
    name: given.get('name') ?? hostname(),
    isGroupShared: given.has('shared-group'),
  };
}

/** The last value of each given option. */
function read(argv: readonly string[]): { kind: string | undefined; given: Map<OptionName, string> } {
  const { words, options } = readGiven(argv, OPTIONS, 1);
  const given = new Map<OptionName, string>();
  for (const [name, values] of options) {
    if (OPTIONS[name].type === 'string' && values.includes(''))
      throw bad(`--${name} needs a value; --help says which.`);
    given.set(name, values.at(-1) ?? '');
  }
  return { kind: words[0], given };
}

function readUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol) || url.pathname !== '/' || url.search !== '' || url.hash !== '') {
    throw bad(`--url ${text}: must be http://HOST:PORT or https://HOST:PORT, without a path.`);
  }
  if (url.username !== '' || url.password !== '') throw bad('--url: no user or password in it; use --token-file.');
  return url.origin;
}

function readNumber(option: string, text: string, { min, max }: { min: number; max: number }): number {
  const number = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(number >= min && number <= max)) throw bad(`${option} ${text}: must be a whole number from ${min} to ${max}.`);
  return number;
}
