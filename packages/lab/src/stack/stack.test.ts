import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { assertPortsFree, findStackPorts } from './ports.ts';
import { isAlive } from './process.ts';
import { type Region, startStack } from './stack.ts';
import type { StackFile } from './stack-directory.ts';
import type { StackEvent, StackOptions } from './stack-options.ts';

const DEMO = fileURLToPath(new URL('../../../../config/demo', import.meta.url));

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'causeway-stack-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function startedPids(events: StackEvent[]): number[] {
  return events.flatMap((event) => (event.type === 'started' ? [event.pid] : []));
}

async function failingStart(options: StackOptions): Promise<{ error: unknown; events: StackEvent[] }> {
  const events: StackEvent[] = [];
  const error = await startStack({ ...options, directory, onEvent: (event) => events.push(event) }).then(
    async (stack) => {
      await stack.close();
      return undefined;
    },
    (cause: unknown) => cause,
  );
  return { error, events };
}

function readStackFile(): StackFile {
  return JSON.parse(readFileSync(join(directory, 'stack.json'), 'utf8')) as StackFile;
}

test('a region is killed and restored while the rest stays, stack.json shows which processes run, closing ends all, and their compiled code stays', async () => {
  const compiled = join(directory, 'compiled');
  const ports = await findStackPorts();
  const events: StackEvent[] = [];
  const bootstrap = inject('kafkaBootstrap');
  const stack = await startStack({
    ports,
    directory,
    bootstrap,
    env: { NODE_COMPILE_CACHE: compiled },
    onEvent: (event) => events.push(event),
  });
  try {
    const before = readStackFile();
    expect(before).toEqual({
      kafka: { bootstrap, pids: [] },
      tier1: {
        url: stack.tier1.url,
        admin: stack.tier1.admin,
        pid: stack.tier1.pid,
        adminToken: stack.adminToken,
      },
      regions: { east: regionEntry(stack.regions.east), west: regionEntry(stack.regions.west) },
      trustSecret: stack.trustSecret,
      config: stack.configDirectory,
    });
    expect(stack.tier1.url).toBe(`http://127.0.0.1:${ports.tier1}`);

    await stack.killRegion('east');
    expect(stack.isRegionUp('east')).toBe(false);
    const during = readStackFile();
    expect([during.regions.east.gateway.pid, during.regions.east.bridge.pid]).toEqual([null, null]);
    expect(during.regions.west).toEqual(before.regions.west);

    await stack.restoreRegion('east');
    const after = readStackFile();
    expect(after.regions.east).toEqual(regionEntry(stack.regions.east));
    expect(after.regions.east.bridge.pid).not.toBe(before.regions.east.bridge.pid);
    expect(after.tier1).toEqual(before.tier1);
  } finally {
    await Promise.all([stack.close(), stack.close()]);
  }
  expect(startedPids(events)).toHaveLength(7);
  expect(startedPids(events).filter(isAlive)).toEqual([]);
  expect(events.flatMap((event) => (event.type === 'exited' ? [event.reason] : [])).sort()).toEqual([
    ...['killed', 'killed', 'stopped', 'stopped', 'stopped', 'stopped', 'stopped'],
  ]);
  expect(existsSync(join(directory, 'stack.json'))).toBe(false);
  // The next start is quicker with it.
  expect(readdirSync(compiled)).not.toEqual([]);
  await expect(stack.restoreRegion('east')).rejects.toMatchObject({ code: 'stopped' });
});

function regionEntry({ gateway, bridge }: Region): StackFile['regions']['east'] {
  return {
    gateway: { url: gateway.url, admin: gateway.admin, pid: gateway.pid ?? null },
    bridge: { url: bridge.url, pid: bridge.pid ?? null },
  };
}

test('a start that fails halfway says why and leaves no process, no port and no stack.json', async () => {
  const ports = await findStackPorts();
  const configDirectory = join(directory, 'config');
  cpSync(DEMO, configDirectory, { recursive: true });
  writeFileSync(join(configDirectory, 'west-bridge.yaml'), 'bridge: [this, is, no, bridge]\n');
  const { error, events } = await failingStart({ ports, configDirectory });
  expect(error).toMatchObject({ code: 'startFailed', message: expect.stringMatching(/west bridge exited before/) });
  const pids = startedPids(events);
  // Kafka at least, and the bridge that failed.
  expect(pids.length).toBeGreaterThanOrEqual(2);
  expect(pids.filter(isAlive)).toEqual([]);
  await assertPortsFree(ports);
  expect(existsSync(join(directory, 'stack.json'))).toBe(false);
});

test('a cancelled start ends its processes', async () => {
  const ports = await findStackPorts();
  const abort = new AbortController();
  const pids: number[] = [];
  const running = startStack({
    ports,
    directory,
    signal: abort.signal,
    onEvent: (event) => {
      if (event.type !== 'started') return;
      pids.push(event.pid);
      abort.abort(new Error('given up'));
    },
  });
  await expect(running).rejects.toThrow('given up');
  expect(pids.length).toBeGreaterThan(0);
  expect(pids.filter(isAlive)).toEqual([]);
});

test('an error names a Kafka that does not respond', async () => {
  const ports = await findStackPorts();
  const bootstrap = `127.0.0.1:${ports.kafka[0]}`;
  const { error } = await failingStart({ ports, bootstrap });
  expect(error).toMatchObject({ code: 'kafkaUnreachable', message: `No Kafka responds at ${bootstrap}.` });
});

test('a secure system with a Kafka that may have no TLS is refused before any change', async () => {
  const { error } = await failingStart({
    bootstrap: inject('kafkaBootstrap'),
    isSecure: true,
    ports: await findStackPorts(),
  });
  expect(error).toMatchObject({ code: 'badArguments' });
  expect(readdirSync(directory)).not.toContain('tls');
});

test('a directory of another lab is refused before any change', async () => {
  writeFileSync(join(directory, 'lab.pid'), `${process.ppid}\n`);
  writeFileSync(join(directory, 'stack.json'), 'the other one');
  const { error } = await failingStart({ ports: await findStackPorts(), bootstrap: inject('kafkaBootstrap') });
  expect(error).toMatchObject({ code: 'alreadyRunning', message: expect.stringContaining(`process ${process.ppid}`) });
  expect(existsSync(join(directory, 'stack.json'))).toBe(true);
});
