/**
 * The Kafka client alone, without HTTP: `produce` or `fetch` of a number of records, with the result as one line of JSON. Arguments:
 * what, bootstrap, topic, record count, records a send, sends at a time.
 */
import process from 'node:process';
import { ConnectionPool, Consumer, ProduceAcks, Producer } from '@platformatic/kafka';
import { percentile } from './statistics.ts';

export interface ClientResult {
  recordCount: number;
  requestCount: number;
  wallSeconds: number;
  cpuSeconds: number;
  residentBytes: number;
  p50Ms: number;
  p99Ms: number;
}

/** JSON of exactly 100 bytes. */
export const VALUE = JSON.stringify({ sensor: 'sensor-1', temperature: 21.5, text: 'x'.repeat(50) });

const PARTITION_COUNT = 3;
const FETCH_BYTES = 1_048_576;

async function produce(bootstrap: string, topic: string, counts: Counts): Promise<number[]> {
  const producer = new Producer({ clientId: 'bench', bootstrapBrokers: [bootstrap] });
  const value = Buffer.from(VALUE);
  const durationsMs: number[] = [];
  let startedCount = 0;
  const send = async (): Promise<void> => {
    while (startedCount < counts.recordCount) {
      const partition = (startedCount / counts.recordsPerSend) % PARTITION_COUNT;
      startedCount += counts.recordsPerSend;
      const messages = Array.from({ length: counts.recordsPerSend }, () => ({ topic, partition, value }));
      const startedAtMs = performance.now();
      await producer.send({ acks: ProduceAcks.ALL, messages } as never);
      durationsMs.push(performance.now() - startedAtMs);
    }
  };
  await Promise.all(Array.from({ length: counts.concurrency }, send));
  await producer.close();
  return durationsMs;
}

async function fetchAll(bootstrap: string, topic: string, { recordCount }: Counts): Promise<number[]> {
  const consumer = new Consumer({ clientId: 'bench', groupId: 'bench', bootstrapBrokers: [bootstrap] });
  const metadata = await consumer.metadata({ topics: [topic] });
  const info = metadata.topics.get(topic);
  if (info === undefined) throw new Error(`no topic ${topic}`);
  const pool = new ConnectionPool('bench');
  const positions = info.partitions.map(() => 0n);
  const durationsMs: number[] = [];
  let fetchedCount = 0;
  while (fetchedCount < recordCount) {
    const startedAtMs = performance.now();
    const response = await consumer.fetch({
      node: info.partitions[0]?.leader ?? 0,
      connectionPool: pool,
      maxWaitTime: 500,
      maxBytes: FETCH_BYTES,
      topics: [
        {
          topicId: info.id,
          partitions: positions.map((fetchOffset, partition) => ({
            partition,
            currentLeaderEpoch: -1,
            fetchOffset,
            lastFetchedEpoch: -1,
            partitionMaxBytes: FETCH_BYTES,
          })),
        },
      ],
    } as never);
    durationsMs.push(performance.now() - startedAtMs);
    for (const { partitionIndex, records } of response.responses[0]?.partitions ?? []) {
      for (const batch of records ?? []) {
        fetchedCount += batch.records.length;
        positions[partitionIndex] = batch.firstOffset + BigInt(batch.lastOffsetDelta) + 1n;
      }
    }
  }
  await pool.close();
  await consumer.close();
  return durationsMs;
}

interface Counts {
  recordCount: number;
  recordsPerSend: number;
  concurrency: number;
}

if (import.meta.main) {
  const [what, bootstrap = '', topic = '', ...numbers] = process.argv.slice(2);
  const [recordCount = 0, recordsPerSend = 1, concurrency = 1] = numbers.map(Number);
  const cpuBefore = process.cpuUsage();
  const startedAtMs = performance.now();
  const run = what === 'produce' ? produce : fetchAll;
  const durationsMs = await run(bootstrap, topic, { recordCount, recordsPerSend, concurrency });
  const { user, system } = process.cpuUsage(cpuBefore);
  const result: ClientResult = {
    recordCount,
    requestCount: durationsMs.length,
    wallSeconds: (performance.now() - startedAtMs) / 1000,
    cpuSeconds: (user + system) / 1e6,
    residentBytes: process.resourceUsage().maxRSS * 1024,
    p50Ms: percentile(durationsMs, 50),
    p99Ms: percentile(durationsMs, 99),
  };
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
