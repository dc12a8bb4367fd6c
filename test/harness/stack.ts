/** The whole system as real processes over the run's Kafka, or with TLS over its own, with a copy of its YAML that a test may edit. */
import { appendFileSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Topology } from '@causeway/gateway/admin/topology.ts';
import { findStackPorts } from '@causeway/lab/stack/ports.ts';
import type { RegionName } from '@causeway/lab/stack/regions.ts';
import { type Stack, startStack } from '@causeway/lab/stack/stack.ts';
import type { StackOptions } from '@causeway/lab/stack/stack-options.ts';
import type { RecordedEvent } from '@causeway/protocol/admin/events.ts';
import { createParser } from 'eventsource-parser';
import { request } from 'undici';
import { until } from './until.ts';

const CONFIG = fileURLToPath(new URL('../../config', import.meta.url));

export interface TestStack {
  stack: Stack;
  /** The one hostname. */
  url: string;
  admin: string;
  /**
   * Replaces `pattern` in a YAML file of the running system; returns the number of the first changed line. Errors: if the file
   * does not contain the pattern.
   */
  edit(file: string, pattern: string | RegExp, replacement: string): number;
  /** Waits until tier-1 and the regional gateways see every region up. */
  untilWell(): Promise<void>;
  topology(admin?: string): Promise<Topology>;
  close(): Promise<void>;
}

export interface TestStackOptions {
  /** Sections to add to the YAML of both bridges. */
  bridgeYaml?: string;
  /** Whether all processes trust proxies on loopback, unlike the demo's. */
  isBehindProxy?: boolean;
  /** Tenants with tokens and rules, and a guest. Default: clients are anonymous. */
  tenantCount?: number;
  /** Changes the copy of the YAML in this directory before anything starts. */
  prepare?: (configDirectory: string) => void;
}

/** Some tests produce records with a timestamp of 2017. By default, Kafka deletes old records 30 s after its start. */
const KEEPING_OLD_RECORDS = { 'log.initial.task.delay.ms': '86400000' };

/** The demo over a Kafka that runs already. */
export function startTestStack(bootstrap: string, options: TestStackOptions = {}): Promise<TestStack> {
  return start('demo', { bootstrap }, options);
}

/** The secure form, with a Kafka of its own. */
export function startSecureTestStack(options: TestStackOptions = {}): Promise<TestStack> {
  return start('secure', { isSecure: true, kafkaProperties: KEEPING_OLD_RECORDS }, options);
}

async function start(
  form: 'demo' | 'secure',
  stackOptions: StackOptions,
  { bridgeYaml = '', isBehindProxy = false, tenantCount, prepare }: TestStackOptions,
): Promise<TestStack> {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-e2e-'));
  const configDirectory = join(directory, 'config');
  cpSync(join(CONFIG, form), configDirectory, { recursive: true });
  for (const name of ['east', 'west']) appendFileSync(join(configDirectory, `${name}-bridge.yaml`), bridgeYaml);
  if (isBehindProxy) {
    for (const name of readdirSync(configDirectory)) {
      const path = join(configDirectory, name);
      writeFileSync(path, readFileSync(path, 'utf8').replace('proxies: []', 'proxies: [127.0.0.0/8]'));
    }
  }
  prepare?.(configDirectory);
  const stack = await startStack({
    ...stackOptions,
    configDirectory,
    tenantCount,
    directory: join(directory, 'state'),
    ports: await findStackPorts(),
  });
  const topology = async (admin = stack.tier1.admin): Promise<Topology> => {
    const { body } = await request(`${admin}/api/topology`, {
      dispatcher: stack.agent,
      headers: { authorization: `Bearer ${stack.adminToken}` },
    });
    return (await body.json()) as Topology;
  };
  return {
    stack,
    url: stack.tier1.url,
    admin: stack.tier1.admin,
    edit(file, pattern, replacement) {
      const path = join(stack.configDirectory, file);
      const before = readFileSync(path, 'utf8');
      const after = before.replace(pattern, replacement);
      if (after === before) throw new Error(`${file} does not contain ${pattern}`);
      writeFileSync(path, after);
      const lines = before.split('\n');
      return after.split('\n').findIndex((line, index) => line !== lines[index]) + 1;
    },
    async untilWell() {
      const admins = [stack.tier1.admin, stack.regions.east.gateway.admin, stack.regions.west.gateway.admin];
      await until('every gateway sees every region up', async () => {
        const seen = await Promise.all(admins.map(topology));
        return seen.every(({ regions }) => regions.every(({ state }) => state === 'up'));
      });
    },
    topology,
    async close() {
      await stack.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** The state of a region, as tier-1 sees it. */
export async function regionState(system: TestStack, region: RegionName): Promise<string | undefined> {
  return (await system.topology()).regions.find(({ name }) => name === region)?.state;
}

/** Events from a gateway's admin API, from now on until the test closes the stream. */
export async function listen(admin: string): Promise<{ events: RecordedEvent[]; close(): void }> {
  const { body } = await request(`${admin}/api/events`, { bodyTimeout: 0 });
  const events: RecordedEvent[] = [];
  const parser = createParser({ onEvent: ({ data }) => events.push(JSON.parse(data) as RecordedEvent) });
  body.setEncoding('utf8');
  body.on('data', (text: string) => parser.feed(text));
  body.on('error', () => {});
  return { events, close: () => body.destroy() };
}
