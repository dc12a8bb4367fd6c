/** Records are consumed as they were produced: any key, value, header and timestamp, in each format, through a real Kafka. */
import type { FormatName } from '@causeway/protocol/content-types.ts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bridgeOfFile, kafkaOfFile } from '../harness/bridge.ts';
import { unique } from '../harness/kafka-view.ts';

const SEED = 20_261_121;
const BATCH_COUNT = 12;
const MAX_BATCH_RECORDS = 20;
/** Brokers reject timestamps that are too far in the future. */
const LATEST_MS = 1_700_000_000_000;

const kafka = await kafkaOfFile();
const bridge = await bridgeOfFile();

const text = fc.string({ unit: 'binary' });
const base64 = fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('base64'));
const json = fc.oneof(
  text,
  fc.array(fc.jsonValue({ stringUnit: 'binary' })),
  fc.dictionary(text, fc.jsonValue({ stringUnit: 'binary' })),
);
const EMBEDDED: Readonly<Record<FormatName, fc.Arbitrary<unknown>>> = { json, binary: base64, text };

function recordOf(format: FormatName) {
  const header = fc.record({ key: text, value: fc.option(base64) });
  return fc.record(
    {
      key: EMBEDDED[format],
      value: fc.option(EMBEDDED[format], { freq: 8 }),
      timestamp: fc.nat({ max: LATEST_MS }),
      headers: fc.array(header, { maxLength: 3 }),
    },
    { requiredKeys: ['value', 'timestamp'] },
  );
}

test.for(['json', 'binary', 'text'] as const)('as %s', { timeout: 240_000 }, async (format) => {
  const topic = await kafka.topic();
  const consumer = await bridge.consumer(unique('group'), 'c', [], { format });
  await bridge.post(`${consumer.path}/assignments`, { partitions: [{ topic, partition: 0 }] });
  let offset = 0;
  const batch = fc.array(recordOf(format), { minLength: 1, maxLength: MAX_BATCH_RECORDS });
  await fc.assert(
    fc.asyncProperty(batch, async (records) => {
      const sent = await bridge.produce(topic, { records }, { format });
      expect(sent.body.offsets).toEqual(records.map((_, index) => ({ partition: 0, offset: offset + index })));
      const expected = records.map(({ key = null, value, timestamp, headers = [] }, index) => ({
        topic,
        key,
        value,
        partition: 0,
        offset: offset + index,
        timestamp,
        ...(headers.length === 0 ? {} : { headers }),
      }));
      offset += records.length;
      // In JSON, -0 is 0.
      expect(await consumer.take(records.length)).toEqual(JSON.parse(JSON.stringify(expected)));
    }),
    { seed: SEED, numRuns: BATCH_COUNT, endOnFailure: true },
  );
  await consumer.delete();
});
