/** Real namespaces and links, which need root on Linux. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Link, RegionNetwork, whyNoRegionNetwork } from './region-network.ts';

const whyNot = whyNoRegionNetwork();
if (whyNot !== undefined) console.info(`skipped: ${whyNot}`);

/** The response that a process in the region gets from outside, in time. */
async function ask(network: RegionNetwork, link: Link, port: number): Promise<string> {
  const url = `http://${network.address(link, 'outside')}:${port}`;
  const script = `fetch(${JSON.stringify(url)}, { signal: AbortSignal.timeout(5_000) })
    .then((answer) => answer.text(), (error) => error.name).then((text) => process.stdout.write(text))`;
  const [command, ...args] = [...network.commandPrefix, process.execPath, '-e', script];
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  await once(child, 'close');
  return text;
}

describe.skipIf(whyNot !== undefined)('a region with a network of its own', () => {
  const server = createServer((_, response) => response.end('here'));
  let network: RegionNetwork;
  let port: number;

  beforeAll(async () => {
    network = await RegionNetwork.create();
    server.listen(0, '0.0.0.0');
    await once(server, 'listening');
    ({ port } = server.address() as AddressInfo);
  });
  afterAll(async () => {
    server.closeAllConnections();
    server.close();
    await network?.close();
  });

  test('reaches the others over both links', async () => {
    expect(await ask(network, 'regions', port)).toBe('here');
    expect(await ask(network, 'kafka', port)).toBe('here');
  });

  test('gets no error when a link is cut, keeps the other one, and recovers', async () => {
    network.cut('regions');
    expect(await ask(network, 'regions', port)).toBe('TimeoutError');
    expect(await ask(network, 'kafka', port)).toBe('here');
    network.heal('regions');
    expect(await ask(network, 'regions', port)).toBe('here');
  });

  test('rejects a second one at the same time', async () => {
    await expect(RegionNetwork.create()).rejects.toMatchObject({ code: 'startFailed' });
    expect(await ask(network, 'regions', port)).toBe('here');
  });
});
