import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, inject, onTestFinished, test } from 'vitest';
import { BridgeProcess } from '../../../test/harness/bridge-process.ts';
import { testCluster } from '../../../test/harness/cluster.ts';
import { unique } from '../../../test/harness/kafka-view.ts';
import { until } from '../../../test/harness/until.ts';
import { within } from '../src/kafka/client/limits.ts';
import { SessionLog } from '../src/ownership/session-log.ts';

const SHIFTED_CLOCK = fileURLToPath(new URL('../../../test/harness/shifted-clock.ts', import.meta.url));
const HOUR_MS = 3_600_000;
/** Long enough for a client on a slow machine to ask again in it. */
const INACTIVITY_MS = 4000;

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'causeway-clocks-'));
});

afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

/** A bridge whose machine has another time. */
function bridge(name: string, shiftMs: number): BridgeProcess {
  writeFileSync(
    join(directory, `${name}.yaml`),
    `
bridge: { name: ${name}, region: east }
listen: { port: 0 }
kafka: { bootstrapServers: ["${inject('kafkaBootstrap')}"], sessionTimeoutMs: 6000 }
consumers: { inactivityTimeoutMs: ${INACTIVITY_MS} }
`,
  );
  return new BridgeProcess(directory, ['--config', `${name}.yaml`], {
    NODE_OPTIONS: `--import=${SHIFTED_CLOCK}`,
    CAUSEWAY_CLOCK_SHIFT_MS: String(shiftMs),
  });
}

async function create(url: string, group: string, name: string): Promise<void> {
  await until(`${name} is created`, async () => {
    const body = JSON.stringify({ name, format: 'json' });
    const headers = { 'content-type': 'application/vnd.kafka.v2+json' };
    return (await fetch(`${url}/consumers/${group}`, { method: 'POST', headers, body })).status === 200;
  });
}

test('bridges whose clocks are an hour apart leave one another’s consumers alone, and end those of a bridge that died', async () => {
  const group = unique('group');
  const shifts = { right: 0, ahead: HOUR_MS, behind: -HOUR_MS, dead: 0 };
  const bridges = Object.entries(shifts).map(([name, shiftMs]) => ({ name, bridge: bridge(unique(name), shiftMs) }));
  const cluster = testCluster(inject('kafkaBootstrap'));
  const log = new SessionLog(cluster, { requestTimeoutMs: 20_000 });
  log.start();
  onTestFinished(async () => {
    await log.close();
    await cluster.close();
  });
  const urls = await Promise.all(bridges.map((each) => each.bridge.url()));
  await Promise.all(bridges.map(({ name }, at) => create(urls[at] ?? '', group, name)));
  bridges.at(-1)?.bridge.child.kill('SIGKILL');

  const isLive = ({ name }: { name: string }): boolean => name !== 'dead';
  const statuses = new Set<number>();
  const askAll = (): Promise<unknown> =>
    Promise.all(
      bridges.map(async (each, at) => {
        if (!isLive(each)) return;
        const answer = await fetch(`${urls[at]}/consumers/${group}/instances/${each.name}/subscription`);
        await answer.text();
        statuses.add(answer.status);
      }),
    );
  await until('the consumer of the dead bridge is ended', async () => {
    await askAll();
    await log.readToEnd(within(20_000));
    return log.get({ group, name: 'dead' })?.value.state === 'deleted';
  });
  expect([...statuses]).toEqual([200]);
  // No other bridge adopted one either, or ended it so that its client found it again by chance.
  const entries = bridges.filter(isLive).map(({ name }) => log.get({ group, name }));
  expect(entries.map((entry) => `${entry?.value.state} ${entry?.value.adoptionCount ?? 0}`)).toEqual(
    entries.map(() => 'held 0'),
  );
});
