/** What a bridge keeps of responses that were written. */
import { Agent, request } from 'undici';
import { expect, onTestFinished, test } from 'vitest';
import { bridgeOfFile, kafkaOfFile } from '../../../../test/harness/bridge.ts';
import { bufferBytes } from '../../../../test/harness/buffer-bytes.ts';
import { unique } from '../../../../test/harness/kafka-view.ts';
import { until } from '../../../../test/harness/until.ts';

const MIB = 1_048_576;
const CONNECTIONS = 20;

const kafka = await kafkaOfFile();
const bridge = await bridgeOfFile();

test('connections that stay open keep neither their last response nor its records', async () => {
  const topic = await kafka.topic();
  const value = JSON.stringify('x'.repeat(1_000));
  for (let index = 0; index < 5; index += 1)
    await kafka.write(
      topic,
      Array.from({ length: 400 }, () => ({ value })),
    );
  const consumer = await bridge.consumer(unique('group'), 'c', []);
  await bridge.post(`${consumer.path}/assignments`, { partitions: [{ topic, partition: 0 }] });
  const poll = async (agent: Agent): Promise<void> => {
    await bridge.post(`${consumer.path}/positions/beginning`, { partitions: [{ topic, partition: 0 }] });
    const { statusCode, body } = await request(`${bridge.url}${consumer.path}/records?timeout=20000`, {
      dispatcher: agent,
    });
    expect([statusCode, (await body.bytes()).length > 0.4 * MIB]).toEqual([200, true]);
  };
  const agents = Array.from({ length: CONNECTIONS }, () => new Agent({ connections: 1, keepAliveTimeout: 600_000 }));
  onTestFinished(async () => {
    await Promise.all(agents.map((agent) => agent.destroy()));
  });
  const [first] = agents;
  if (first === undefined) throw new TypeError('no agent');
  await poll(first);
  const before = bufferBytes();
  for (const agent of agents) await poll(agent);
  await until('nearly all of it is free', () => bufferBytes() - before < 5 * MIB);
});
