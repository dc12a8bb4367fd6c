/** The attacker's thread: plays one attack and reports violations of its claim. */
import { parentPort, workerData } from 'node:worker_threads';
import { Dice } from '../chaos/dice.ts';
import { attackOf } from './arguments.ts';
import { AttackClient } from './attack-client.ts';
import type { AttackerData, FromAttacker } from './attacker-messages.ts';

const data = workerData as AttackerData;
const port = parentPort;
if (port === null) throw new TypeError('the attacker is a thread of the run');

const say = (message: FromAttacker): void => port.postMessage(message);

/** Sends a request to the run, and waits until it is done. */
function askFor(kind: 'freeze' | 'thaw'): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  port?.once('message', () => resolve());
  say({ kind });
  return promise;
}

const client = new AttackClient(data.tier1);
const timeIsOver = new AbortController();
const timer = setTimeout(() => timeIsOver.abort(), data.durationMs);
let faults: string[];
try {
  faults = await attackOf(data.attackName).play({
    ...data,
    client,
    dice: new Dice(data.seed),
    signal: timeIsOver.signal,
    freezeKafka: () => askFor('freeze'),
    thawKafka: () => askFor('thaw'),
  });
} catch (error) {
  faults = [`the attack failed: ${error instanceof Error ? error.message : String(error)}`];
} finally {
  clearTimeout(timer);
}
client.close();
say({ kind: 'finished', faults });
