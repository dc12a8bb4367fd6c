import { hostname } from 'node:os';
import { expect, test } from 'vitest';
import { parseTrafficArguments, type TrafficCommand } from './arguments.ts';

const PRODUCE = {
  kind: 'produce',
  url: 'http://localhost:8080',
  topic: 'orders',
  seconds: undefined,
  caFile: undefined,
  tokenFile: undefined,
  token: undefined,
  recordsPerSecond: 20,
};
const { recordsPerSecond: _, ...common } = PRODUCE;
const CONSUME = {
  ...common,
  kind: 'consume',
  group: 'billing',
  consumerCount: 1,
  name: hostname(),
  isGroupShared: false,
};

const consume = 'consume --topic orders --group billing';

test.each<[string, object, Record<string, string>?]>([
  ['produce --topic orders', PRODUCE],
  ['--topic orders produce --rate 5 --seconds 60', { ...PRODUCE, recordsPerSecond: 5, seconds: 60 }],
  [
    'produce --topic orders --url https://api.example:8443/ --ca ca.crt',
    { ...PRODUCE, url: 'https://api.example:8443', caFile: 'ca.crt' },
  ],
  ['produce --topic orders', { ...PRODUCE, token: 'secret' }, { CAUSEWAY_TOKEN: 'secret' }],
  ['produce --topic orders', PRODUCE, { CAUSEWAY_TOKEN: '' }],
  ['produce --topic orders --token-file t', { ...PRODUCE, tokenFile: 't' }, { CAUSEWAY_TOKEN: 'secret' }],
  [consume, CONSUME],
  [
    `${consume} --consumers 2 --name pod-0 --shared-group`,
    { ...CONSUME, consumerCount: 2, name: 'pod-0', isGroupShared: true },
  ],
  ['--help', { kind: 'help' }],
  ['--version', { kind: 'version' }],
])('%s', (line, expected: object, env = {}) => {
  expect(parseTrafficArguments(line.split(' '), env)).toEqual(expected satisfies object as TrafficCommand);
});

test.each([
  ['', 'The first argument must be produce or consume; --help has the rest.'],
  ['poll', 'poll must be produce or consume; --help has the rest.'],
  ['produce', '--topic is missing.'],
  ['consume --topic orders', '--group is missing.'],
  ['produce --topic', '--topic needs a value; --help says which.'],
  ['produce --topic orders --group g', '--group is an option of consume.'],
  [`${consume} --rate 3`, '--rate is an option of produce.'],
  [`${consume} --shared-group=yes`, '--shared-group takes no value.'],
  ['produce --topic orders --rate 0', '--rate 0: must be a whole number from 1 to 1000.'],
  ['produce --topic orders --seconds 1.5', '--seconds 1.5: must be a whole number from 1 to 1000000000.'],
  ['produce --topic orders --wait', '--wait is not an option; --help lists them.'],
  ['produce orders', '"orders" is not an option; --help lists them.'],
  [
    'produce --topic orders --url api.example',
    '--url api.example: must be http://HOST:PORT or https://HOST:PORT, without a path.',
  ],
  [
    'produce --topic orders --url http://api.example/v1',
    '--url http://api.example/v1: must be http://HOST:PORT or https://HOST:PORT, without a path.',
  ],
  ['produce --topic orders --url http://me:secret@api.example', '--url: no user or password in it; use --token-file.'],
])('%s: "%s"', (line, message) => {
  expect(() => parseTrafficArguments(line === '' ? [] : line.split(' '))).toThrow(message);
});
