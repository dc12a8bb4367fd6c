import { expect, test } from 'vitest';
import { answerFaultOf } from './topics.ts';

const DAY_MS = 86_400_000;

test.each([
  [{}, undefined],
  [{ 'retention.ms': '-1', 'retention.bytes': '-1', 'message.timestamp.type': 'LogAppendTime' }, undefined],
  [{ 'retention.ms': String(DAY_MS) }, undefined],
  [{ 'retention.ms': String(DAY_MS - 1) }, 'producer.idempotencyRetentionMs is 86400000'],
  [{ 'retention.bytes': '1073741824' }, 'retention.bytes=1073741824'],
  [{ 'message.timestamp.type': 'CreateTime' }, 'message.timestamp.type=CreateTime'],
])('a topic of answers with %j', (settings, fault) => {
  const found = answerFaultOf(new Map(Object.entries(settings)), DAY_MS);
  expect(found).toEqual(fault === undefined ? undefined : expect.stringContaining(fault));
});
