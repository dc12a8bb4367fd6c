/** A body without a required member is refused with a message that names the member, and no Java class. */
import { expect, test } from 'vitest';
import { bridgeOfFile, kafkaOfFile } from '../../../../test/harness/bridge.ts';
import { unique } from '../../../../test/harness/kafka-view.ts';

const kafka = await kafkaOfFile();
const bridge = await bridgeOfFile();
const topic = await kafka.topic();
const assigned = await bridge.consumer(unique('group'), 'c', []);
await bridge.post(`${assigned.path}/assignments`, { partitions: [{ topic, partition: 0 }] });
const idle = await bridge.consumer(unique('group'), 'c', []);

test.each([
  [`/topics/${topic}`, {}, 422, 'records'],
  [`/topics/${topic}?async=true`, {}, 422, 'records'],
  [`/topics/${topic}/partitions/0`, {}, 422, 'records'],
  [`/topics/${topic}`, { records: [{}] }, 400, 'value'],
  [`/topics/${topic}/partitions/0`, { records: [{}] }, 400, 'value'],
  ['/admin/topics', {}, 400, 'topic_name'],
  [`${idle.path}/subscription`, {}, 422, 'topic_pattern'],
  [`${idle.path}/assignments`, {}, 422, 'partitions'],
  [`${idle.path}/assignments`, { partitions: [{ topic }] }, 422, 'partition'],
  [`${assigned.path}/positions`, {}, 422, 'offsets'],
  [`${assigned.path}/positions`, { offsets: [{}] }, 400, 'offset'],
  [`${assigned.path}/positions/beginning`, {}, 422, 'partitions'],
  [`${assigned.path}/positions/beginning`, { partitions: [{ topic }] }, 422, 'partition'],
  [`${assigned.path}/positions/end`, {}, 422, 'partitions'],
  [`${assigned.path}/offsets`, { offsets: [{}] }, 400, 'offset'],
])('POST %s %j: %d, and the missing member is named', async (path, body, status, member) => {
  const isProduce = /^\/(topics|admin)/.test(path);
  const answer = await bridge.request('POST', path, {
    headers: { 'content-type': `application/vnd.kafka.${isProduce ? 'json.' : ''}v2+json` },
    body: JSON.stringify(body),
  });
  expect(answer).toMatchObject({ status, body: { error_code: status } });
  expect([answer.body.message, ...(answer.body.validation_errors ?? [])].join('\n')).toMatch(
    new RegExp(`\\b${member}s?\\b`),
  );
  expect(answer.text).not.toMatch(/fasterxml|jackson|Cannot invoke|java\./i);
});
