import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadGatewayConfig } from '@causeway/gateway/config/load.ts';
import { expect, onTestFinished, test } from 'vitest';
import { copyConfig, EXACTLY_ONCE_SECTION } from './config-copy.ts';

const DEMO = fileURLToPath(new URL('../../../../config/demo', import.meta.url));

test('gateways make keys for requests without one; bridges get their YAML unchanged, and files of an earlier lab are gone', () => {
  const to = mkdtempSync(join(tmpdir(), 'causeway-config-'));
  onTestFinished(() => rmSync(to, { recursive: true }));
  writeFileSync(join(to, 'north-gateway.yaml'), 'gateway: {}');
  copyConfig({ from: DEMO, to, sections: EXACTLY_ONCE_SECTION });
  expect(readdirSync(to)).toEqual(readdirSync(DEMO));
  for (const name of ['tier1', 'east-gateway', 'west-gateway']) {
    expect(loadGatewayConfig(join(to, `${name}.yaml`), {}).retry.produce).toBe('exactly-once');
  }
  const withoutSchema = (directory: string): string[] =>
    readFileSync(join(directory, 'east-bridge.yaml'), 'utf8').split('\n').slice(1);
  expect(withoutSchema(to)).toEqual(withoutSchema(DEMO));
});
