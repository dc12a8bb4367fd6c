import { afterAll, expect, inject, test } from 'vitest';
import { TestBridge } from '../harness/bridge.ts';
import { startGateway } from '../harness/gateway.ts';
import { until } from '../harness/until.ts';

const bridge = await TestBridge.start(inject('kafkaBootstrap'), { management: { port: 0 } });
afterAll(() => bridge.close());

test('a gateway probes a bridge at its management port, and sends requests to the other', async () => {
  const healthUrl = `http://127.0.0.1:${bridge.bridge.managementPort}`;
  const gateway = await startGateway({ regions: [{ name: 'east', targets: [{ url: bridge.url, healthUrl }] }] });
  try {
    await until('it is ready', async () => (await fetch(`${gateway.url}/ready`)).status === 200);
    expect((await fetch(`${gateway.url}/topics`)).status).toBe(200);
    expect(gateway.gateway.events.recent()).toContainEqual(
      expect.objectContaining({ type: 'health', target: bridge.url, to: 'healthy' }),
    );
  } finally {
    await gateway.close();
  }
});
