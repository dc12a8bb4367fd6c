import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, inject, onTestFinished, test } from 'vitest';
import { BridgeProcess } from '../../../test/harness/bridge-process.ts';
import { unique } from '../../../test/harness/kafka-view.ts';
import { until } from '../../../test/harness/until.ts';

test('two bridges of one name are reported, each by the other, once', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-namesakes-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const start = (name: string): BridgeProcess => {
    const file = `bridge: { name: ${name}, region: east }\nlisten: { port: 0 }\nkafka: { bootstrapServers: ["${inject('kafkaBootstrap')}"] }\n`;
    writeFileSync(join(directory, `${name}.yaml`), file);
    return new BridgeProcess(directory, ['--config', `${name}.yaml`]);
  };
  const name = unique('bridge');
  const bridges = [start(name), start(name), start(unique('other'))];
  const urls = await Promise.all(bridges.map((bridge) => bridge.url()));
  await Promise.all(urls.map((url) => until('it is ready', async () => (await fetch(`${url}/ready`)).status === 200)));
  const warnings = (bridge: BridgeProcess | undefined) =>
    bridge?.log.filter(({ msg }) => String(msg).includes('under the name of this bridge')) ?? [];
  for (const url of [...urls, ...urls]) {
    const headers = { 'content-type': 'application/vnd.kafka.v2+json' };
    expect((await fetch(`${url}/consumers/${unique('group')}`, { method: 'POST', headers })).status).toBe(200);
  }
  await until('both say so', () => warnings(bridges[0]).length > 0 && warnings(bridges[1]).length > 0);
  expect(bridges.map((bridge) => warnings(bridge).length)).toEqual([1, 1, 0]);
});
