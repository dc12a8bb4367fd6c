import { describe, expect, test } from 'vitest';
import { type LabOptions, parseArguments } from './arguments.ts';

const DEFAULTS: LabOptions = {
  seconds: undefined,
  hasTraffic: true,
  brokerCount: 1,
  clusterCount: 1,
  isSecure: false,
  isExactlyOnce: false,
  tenantCount: undefined,
  bootstrap: undefined,
  portBase: 8080,
  directory: undefined,
  schedule: [],
};

describe('valid arguments', () => {
  test.each<[string, Partial<LabOptions>, Record<string, string>?]>([
    ['', {}],
    ['--seconds 40', { seconds: 40 }],
    ['--seconds=2.5', { seconds: 2.5 }],
    ['--no-traffic', { hasTraffic: false }],
    ['--brokers 3', { brokerCount: 3 }],
    ['--tls', { isSecure: true }],
    ['--clusters 2', { clusterCount: 2 }, { KAFKA_BOOTSTRAP_SERVERS: 'a:1' }],
    ['--clusters 1', {}],
    [
      '--clusters 2 --kill east@5 --rejoin east@9 --promote west@7',
      {
        clusterCount: 2,
        schedule: [
          { action: 'kill', region: 'east', atSecond: 5 },
          { action: 'promote', region: 'west', atSecond: 7 },
          { action: 'rejoin', region: 'east', atSecond: 9 },
        ],
      },
    ],
    ['--exactly-once', { isExactlyOnce: true }],
    ['--tenants 2', { tenantCount: 2 }],
    ['--tls --tenants 9', { isSecure: true, tenantCount: 9 }],
    ['--tls', { isSecure: true }, { KAFKA_BOOTSTRAP_SERVERS: 'a:1' }],
    ['--bootstrap kafka.example:9092', { bootstrap: 'kafka.example:9092' }],
    ['', { bootstrap: 'a:1,b:2' }, { KAFKA_BOOTSTRAP_SERVERS: 'a:1,b:2' }],
    ['', {}, { KAFKA_BOOTSTRAP_SERVERS: '' }],
    ['--bootstrap c:3', { bootstrap: 'c:3' }, { KAFKA_BOOTSTRAP_SERVERS: 'a:1' }],
    ['--brokers 1', { brokerCount: 1 }, { KAFKA_BOOTSTRAP_SERVERS: 'a:1' }],
    ['--port-base 18080', { portBase: 18_080 }],
    ['--directory /tmp/lab', { directory: '/tmp/lab' }],
    [
      '--seconds 40 --kill east@10 --restore east@25 --kill west@30',
      {
        seconds: 40,
        schedule: [
          { action: 'kill', region: 'east', atSecond: 10 },
          { action: 'restore', region: 'east', atSecond: 25 },
          { action: 'kill', region: 'west', atSecond: 30 },
        ],
      },
    ],
  ])('%s', (line, expected, env = {}) => {
    expect(parseArguments(words(line), env)).toEqual({ kind: 'run', options: { ...DEFAULTS, ...expected } });
  });

  test('help, beside any other argument', () => {
    expect(parseArguments(['--help'])).toEqual({ kind: 'help' });
  });
});

describe('invalid arguments are rejected in one sentence', () => {
  test.each([
    ['--secconds 40', '--secconds is not an option; --help lists them.'],
    ['-s 40', '-s is not an option; --help lists them.'],
    ['40', '"40" is not an option; --help lists them.'],
    ['--clusters 3', '--clusters 3: must be 1 or 2.'],
    ['--promote east@5', '--promote and --rejoin need --clusters 2.'],
    ['--clusters 2 --tls', '--clusters 2 and --tls do not go together yet: give one of them.'],
    [
      '--clusters 2 --bootstrap a:1',
      '--clusters 2 starts two Kafkas of its own, --bootstrap uses an existing one: give one of them.',
    ],
    [
      '--clusters 2 --exactly-once',
      '--clusters 2 and --exactly-once do not go together: a key counts within one cluster.',
    ],
    ['--seconds', '--seconds needs a value; --help says which.'],
    ['--seconds 0', '--seconds 0: must be a number above 0.'],
    ['--seconds -5', '--seconds -5: must be a number above 0.'],
    ['--seconds soon', '--seconds soon: must be a number above 0.'],
    ['--no-traffic=yes', '--no-traffic takes no value.'],
    ['--tls=yes', '--tls takes no value.'],
    ['--tenants', '--tenants needs a value; --help says which.'],
    ['--tenants 1', '--tenants 1: must be a number from 2 to 9.'],
    ['--tenants 10', '--tenants 10: must be a number from 2 to 9.'],
    ['--tenants two', '--tenants two: must be a number from 2 to 9.'],
    ['--tls --bootstrap a:1', '--tls starts a Kafka of its own, --bootstrap uses an existing one: give one of them.'],
    ['--brokers 2', '--brokers 2: must be 1 or 3.'],
    ['--bootstrap kafka', '--bootstrap kafka: must be HOST:PORT, several separated by commas.'],
    [
      '--bootstrap a:1 --brokers 3',
      '--brokers is for a Kafka that the lab starts, --bootstrap for an existing one: give one of them.',
    ],
    ['--kill east', '--kill east: must be REGION@SECOND with REGION east or west, like east@10.'],
    ['--kill north@5', '--kill north@5: must be REGION@SECOND with REGION east or west, like east@10.'],
    ['--restore west@later', '--restore west@later: must be REGION@SECOND with REGION east or west, like east@10.'],
    ['--seconds 20 --kill east@20', '--kill east@20 would come after the end (--seconds 20).'],
    ['--port-base x', '--port-base x: must be a port from 1 to 64522.'],
    ['--port-base 64523', '--port-base 64523: must be a port from 1 to 64522.'],
  ])('%s', (line, message) => {
    expect(() => parseArguments(words(line))).toThrow(expect.objectContaining({ code: 'badArguments', message }));
  });

  test('an error names KAFKA_BOOTSTRAP_SERVERS', () => {
    expect(() => parseArguments([], { KAFKA_BOOTSTRAP_SERVERS: 'kafka' })).toThrow(/^KAFKA_BOOTSTRAP_SERVERS kafka:/);
  });
});

function words(line: string): string[] {
  return line.split(' ').filter((word) => word !== '');
}
