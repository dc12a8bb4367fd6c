/** Saves the records that a lost cluster alone has, before or after it stands by again: a line of JSON for each. */
import { open } from 'node:fs/promises';
import type { LossReport } from '@causeway/protocol/clusters.ts';
import type { ClustersClient } from './client.ts';

/** Returns how many records the file has. Errors: as `fs.open` for a file that exists or cannot be written; as {@link ClustersClient}. */
export async function saveTail(client: ClustersClient, { lost, ranges }: LossReport, file: string): Promise<number> {
  const handle = await open(file, 'wx', 0o600);
  try {
    let count = 0;
    for (const { topic, partition, from, to } of ranges) {
      for (let next: number | null = from; next !== null && next < to; ) {
        const tail = await client.readTail(lost, { topic, partition, from: next, to });
        const lines = tail.records.map((record) => `${JSON.stringify({ topic, partition, ...record })}\n`);
        await handle.appendFile(lines.join(''));
        count += lines.length;
        next = tail.next;
      }
    }
    await handle.sync();
    return count;
  } finally {
    await handle.close();
  }
}
