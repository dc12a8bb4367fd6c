import { expect, test } from 'vitest';
import { readArguments } from './arguments.ts';

const SURROUNDINGS = { env: { CAUSEWAY_ADMIN_TOKEN: 't' }, directories: [] };
const read = (line: string, env: Record<string, string> = {}) =>
  readArguments(line.split(' '), { ...SURROUNDINGS, env: { ...SURROUNDINGS.env, ...env } });

test('a command and its own options stand behind the dashes', () => {
  expect(
    read(
      '--target west --url https://a:1/ --url https://b:1 --ca f -- mirror.sh --x /etc/{source}-{target}.properties',
    ),
  ).toEqual({
    target: 'west',
    gateways: ['https://a:1', 'https://b:1'].map((url) => ({ url, token: 't', caFile: 'f' })),
    intervalMs: 1000,
    way: { kind: 'process', command: ['mirror.sh', '--x', '/etc/{source}-{target}.properties'] },
  });
});

test('workers of Kafka Connect, with a user of the environment', () => {
  expect(
    read('--target west --connect http://c1:8083/ --connect http://c2:8083', { CAUSEWAY_CONNECT_CREDENTIALS: 'u:p' }),
  ).toMatchObject({ way: { kind: 'connect', urls: ['http://c1:8083', 'http://c2:8083'], credentials: 'u:p' } });
});

test.each([
  ['-- mirror.sh', '--target CLUSTER is missing'],
  ['--target west', 'give the command that starts MirrorMaker behind --, or --connect URL'],
  ['--target west --connect http://c:1 -- mirror.sh', '--connect and a command (mirror.sh) exclude each other'],
  ['--target west --connect c:8083', '--connect c:8083 is not a URL'],
  ['--target west --connect http://u:p@c:1', '--connect has a user: CAUSEWAY_CONNECT_CREDENTIALS'],
  ['--target west --url east -- x', '--url east is not a URL'],
  ['--target west --interval-ms 1 -- x', '--interval-ms 1 is not a number of at least 50'],
  ['--target west --interval-ms soon -- x', '--interval-ms soon is not a number'],
  ['--target west --unknown -- x', 'unknown'],
])('%s is refused', (line, message) => {
  expect(() => read(line)).toThrow(message);
});
