/** A lane whose transactional id another producer took, while another transaction holds up the log: it takes the id back once. */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { TestBridge } from '../../../test/harness/bridge.ts';
import { type KafkaView, unique } from '../../../test/harness/kafka-view.ts';
import { keyOfSlot } from '../../../test/harness/keyed-traffic.ts';
import { transactionalProducer } from '../../../test/harness/transaction.ts';
import { PROOF } from '../../../test/harness/trust.ts';

async function transactionOf(kafka: KafkaView, transactionalId: string, topic: string) {
  const producer = transactionalProducer(kafka.bootstrap, transactionalId);
  await producer.connect();
  onTestFinished(() => producer.disconnect());
  const transaction = await producer.transaction();
  await transaction.send({ topic, messages: [{ key: unique('other'), value: 'other', partition: 0 }] });
  return transaction;
}

/** `kafka`: with bridges of these tests alone. */
export function testRecovery(kafka: KafkaView): void {
  test('a lane that waits for the log does not fence itself', async () => {
    const name = unique('slow');
    const bridge = await TestBridge.start(kafka.bootstrap, { bridge: { name, region: 'east' } });
    onTestFinished(() => bridge.close());
    const topic = await kafka.topic();
    let owners = '';
    const send = async (): Promise<number> => {
      for (let turn = 0; turn < 20; turn += 1) {
        const response = await fetch(`${bridge.url}/topics/${topic}`, {
          method: 'POST',
          headers: {
            'content-type': 'application/vnd.kafka.json.v2+json',
            'idempotency-key': keyOfSlot(3),
            ...PROOF,
            'causeway-gateway': 'tier1',
            ...(owners === '' ? {} : { 'causeway-failed': owners }),
          },
          body: '{"records":[{"value":"a"}]}',
        });
        await response.arrayBuffer();
        owners = response.headers.get('causeway-owner') ?? owners;
        if (response.status !== 421) return response.status;
      }
      throw new Error('no bridge answers');
    };
    const brokenCount = async (): Promise<number> => {
      const text = await (await fetch(`${bridge.url}/metrics`)).text();
      const counts = text.matchAll(/^causeway_bridge_idempotency_transactions_total\{outcome="([^"]*)"\} (\d+)$/gm);
      return [...counts].reduce((sum, [, outcome, count]) => sum + (outcome === 'committed' ? 0 : Number(count)), 0);
    };
    expect(await send()).toBe(200);
    expect(await brokenCount()).toBe(0);
    const fencing = await transactionOf(kafka, `causeway-answers-east/${name}-0`, topic);
    const holding = await transactionOf(kafka, unique('holding'), '__causeway_answers');
    const sent = Promise.all([send(), send(), send()]);
    // Longer than until the bridge looks for transactions of bridges that are gone.
    await delay(1_500);
    await holding.commit();
    expect(await sent).toEqual([200, 200, 200]);
    expect(await brokenCount()).toBe(1);
    await fencing.abort().catch(() => {});
  });
}
