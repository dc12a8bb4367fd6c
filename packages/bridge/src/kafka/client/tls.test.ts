import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestAuthority } from '../../../../../test/harness/certificates.ts';
import type { KafkaTlsConfig } from '../../kafka-config.ts';
import { BrokerTls, findTlsProblems, type TlsFileChange } from './tls.ts';

let directory: string;
let authority: TestAuthority;
let config: KafkaTlsConfig;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'causeway-tls-'));
  authority = await TestAuthority.create(directory);
  const { certFile, keyFile } = await authority.certify('bridge');
  config = { isEnabled: true, caFile: authority.certFile, certFile, keyFile, isBrokerVerified: true };
});

afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

test('a host is verified by its name, an address without a server name, and a configured name overrides both', () => {
  const tls = new BrokerTls(config, () => {});
  expect(tls.options('kafka.example')).toMatchObject({ servername: 'kafka.example', rejectUnauthorized: true });
  expect(tls.options('127.0.0.1')).not.toHaveProperty('servername');
  expect(tls.options('::1')).not.toHaveProperty('servername');
  const named = new BrokerTls({ ...config, serverName: 'kafka.test', isBrokerVerified: false }, () => {});
  expect(named.options('127.0.0.1')).toMatchObject({ servername: 'kafka.test', rejectUnauthorized: false });
});

test('changed files are read once, and those that cannot be used leave the earlier ones in use', async () => {
  const changes: TlsFileChange[] = [];
  const tls = new BrokerTls(config, (change) => changes.push(change));
  const { secureContext } = tls.options('h');
  expect(tls.options('h').secureContext).toBe(secureContext);

  await authority.certify('bridge');
  const renewed = tls.options('h').secureContext;
  expect(renewed).not.toBe(secureContext);
  expect(changes).toEqual([{ kind: 'reloaded' }]);

  writeFileSync(config.keyFile ?? '', 'half a key, as it is just being written');
  expect(tls.options('h').secureContext).toBe(renewed);
  expect(tls.options('h').secureContext).toBe(renewed);
  expect(changes.slice(1)).toMatchObject([
    { kind: 'refused', reason: expect.stringContaining('bridge.key cannot be used') },
  ]);

  await authority.certify('bridge');
  expect(tls.options('h').secureContext).not.toBe(renewed);
  expect(changes.at(-1)).toEqual({ kind: 'reloaded' });
});

test('a key that does not match its certificate is reported before anything starts, and so is a wrong passphrase', async () => {
  const { keyFile } = await authority.certify('other');
  const encrypted = authority.encryptKey('bridge', 'open sesame');
  expect(findTlsProblems({ ...config, keyFile })).toMatchObject([
    { path: ['kafka', 'tls', 'keyFile'], reason: expect.stringMatching(/other\.key cannot be used: .*mismatch/) },
  ]);
  const problems = findTlsProblems({ ...config, keyFile: encrypted, keyPassphrase: 'wrong word' });
  expect(problems).toMatchObject([
    { path: ['kafka', 'tls', 'keyFile'], reason: expect.stringMatching(/cannot be used/) },
  ]);
  expect(JSON.stringify(problems)).not.toContain('wrong word');
  expect(findTlsProblems({ ...config, keyFile: encrypted, keyPassphrase: 'open sesame' })).toEqual([]);
});
