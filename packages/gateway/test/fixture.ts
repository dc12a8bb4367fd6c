/** Upstreams and gateways of a test, closed when it has finished. */
import { once } from 'node:events';
import type { ServerOptions } from 'node:https';
import { connect } from 'node:net';
import type { GatewayOptions } from '@causeway/gateway/gateway.ts';
import { request } from 'undici';
import { onTestFinished } from 'vitest';
import { type ConfigOverrides, startGateway, type TestGateway } from '../../../test/harness/gateway.ts';
import { until } from '../../../test/harness/until.ts';
import { answerJson, startUpstream, type Upstream, type UpstreamHandler } from '../../../test/harness/upstream.ts';

export async function upstream(handle?: UpstreamHandler, tls?: ServerOptions): Promise<Upstream> {
  const started = await startUpstream(handle, tls);
  onTestFinished(() => started.kill());
  return started;
}

export async function gateway(overrides: ConfigOverrides, options: Partial<GatewayOptions> = {}): Promise<TestGateway> {
  const started = await startGateway(overrides, options);
  onTestFinished(started.close);
  return started;
}

/** Regions east and west; east gets all new work. */
export async function twoRegions(
  eastHandler: UpstreamHandler,
  overrides: ConfigOverrides = {},
): Promise<{ east: Upstream; west: Upstream; gw: TestGateway }> {
  const east = await upstream(eastHandler);
  const west = await upstream(answerJson({ from: 'west' }));
  const gw = await gateway({
    regions: [
      { name: 'east', priority: 0, targets: [{ url: east.url }] },
      { name: 'west', priority: 1, targets: [{ url: west.url }] },
    ],
    ...overrides,
  });
  return { east, west, gw };
}

export const never: UpstreamHandler = () => {};
export const produce = {
  method: 'POST',
  headers: { 'content-type': 'application/vnd.kafka.json.v2+json' },
  body: '{"records":[{"value":"v"}]}',
} as const;

export async function eventOf(gw: TestGateway, type: string): Promise<void> {
  await until(`an event ${type}`, () => gw.gateway.events.recent().some((event) => event.type === type));
}

/** Park and Miller's minimal standard generator. */
export function seededRandom(): () => number {
  let seed = 7;
  return () => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
}

/** Which region answers a produce. */
export async function from(gw: TestGateway): Promise<string> {
  const { body } = await request(`${gw.url}/topics/t`, produce);
  return ((await body.json()) as { from: string }).from;
}

export async function configStatus(gw: TestGateway): Promise<unknown> {
  const topology = (await (await request(`${gw.adminUrl}/api/topology`)).body.json()) as { config: unknown };
  return topology.config;
}

/** Sends bytes as they are and returns all that comes back. */
export async function rawExchange(url: string, text: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  let answer = '';
  socket.on('data', (chunk) => (answer += chunk.toString()));
  socket.on('error', () => {});
  socket.write(text);
  await once(socket, 'close');
  return answer;
}
