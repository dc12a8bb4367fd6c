/** What the Kafka of a secure system refused its bridges, which have only the rights that they need. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Stack } from '@causeway/lab/stack/stack.ts';

/** Lines of the broker's log. */
export function refusedToBridges({ directory }: Stack): string[] {
  const log = readFileSync(join(directory.logs, 'kafka-1.log'), 'utf8');
  if (!log.includes('StandardAuthorizer')) throw new Error('The log has no trace of an authorizer.');
  return log.split('\n').filter((line) => /Principal = User:\w+-bridge is Denied/.test(line));
}
