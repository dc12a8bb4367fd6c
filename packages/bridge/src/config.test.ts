import { fileURLToPath } from 'node:url';
import { editorSchema } from '@causeway/config/editor-schema.ts';
import { ConfigError, parseConfig } from '@causeway/config/load.ts';
import { referenceYaml } from '@causeway/config/reference.ts';
import { describe, expect, test } from 'vitest';
import { BRIDGE_YAML_HEADER, BridgeConfig, checkBridgeConfig } from './config.ts';

const MINIMAL = 'bridge: { name: b, region: east }\nkafka: { bootstrapServers: ["127.0.0.1:9092"] }\n';

function parse(text: string, env: Record<string, string> = {}) {
  return parseConfig('bridge.yaml', text, { schema: BridgeConfig, env, check: checkBridgeConfig });
}

function problemsOf(text: string): string {
  try {
    parse(text);
    return '';
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
}

test('config/bridge.yaml is the reference of the schema, and is valid', async () => {
  const text = referenceYaml(BridgeConfig, BRIDGE_YAML_HEADER);
  await expect(text).toMatchFileSnapshot(fileURLToPath(new URL('../../../config/bridge.yaml', import.meta.url)));
  expect(parse(text)).toMatchObject({ ...parse(MINIMAL), bridge: { name: 'bridge-1', region: 'east' } });
});

test('config/bridge.schema.json is the schema for editors', async () => {
  const text = editorSchema(BridgeConfig, 'Causeway bridge');
  const file = fileURLToPath(new URL('../../../config/bridge.schema.json', import.meta.url));
  await expect(text).toMatchFileSnapshot(file);
});

test('a file needs no more than names and brokers, and may take them from the environment', () => {
  const config = parse('bridge: { name: b, region: "${REGION}" }\nkafka: { bootstrapServers: ["${KAFKA:-k:9092}"] }', {
    REGION: 'west',
  });
  expect(config).toMatchObject({
    bridge: { name: 'b', region: 'west' },
    listen: { host: '127.0.0.1', port: 8080 },
    kafka: { bootstrapServers: ['k:9092'], clientId: 'causeway' },
    producer: { acks: 'all', maxBlockMs: 10_000 },
    consumers: { inactivityTimeoutMs: 300_000 },
  });
});

/** A file with a line below `kafka`. */
function kafka(line: string): string {
  return `bridge: { name: b, region: east }\nkafka:\n  bootstrapServers: ["h:1"]\n  ${line}\n`;
}

/** A file with a peer; `cluster`: below `kafka`. */
function peer(entry: string, cluster = ', cluster: east'): string {
  const kafkas = `kafka: { bootstrapServers: ["h:1"]${cluster} }`;
  return `bridge: { name: b, region: east }\n${kafkas}\nclusters: { peer: { bootstrapServers: ["p:1"], ${entry} } }\n`;
}

test('two clusters need no more than their names and the brokers of the other one', () => {
  expect(parse(peer('name: west'))).toMatchObject({
    kafka: { cluster: 'east' },
    clusters: {
      peer: { name: 'west', bootstrapServers: ['p:1'], tls: { isEnabled: false }, sasl: { mechanism: 'none' } },
      leaseMs: 1000,
      prefer: 'availability',
      switchOverTimeoutMs: 10_000,
    },
  });
  expect(problemsOf(peer('name: west'))).toBe('');
});

test('a secret that does not fit is not repeated', () => {
  expect(problemsOf(kafka('sasl: { mechanism: PLAIN, username: u, password: 31337 }'))).toBe(
    'bridge.yaml:4: kafka.sasl.password: must be string',
  );
});

describe('a file that cannot work is refused with the line and the reason', () => {
  test.each([
    ['bridge: { name: b, region: east }', /kafka/],
    [`${MINIMAL}listen: { prot: 1 }`, /bridge\.yaml:3: listen\.prot: unknown key/],
    [`${MINIMAL}producer: { acks: none }`, /bridge\.yaml:3: producer\.acks: must be one of: all, leader/],
    ['bridge: { name: b, region: east }\nkafka: { bootstrapServers: [] }', /bridge\.yaml:2/],
    ['bridge: { name: b, region: east }\nkafka: { bootstrapServers: [nowhere] }', /bridge\.yaml:2/],
    ['bridge: { name: a/b, region: east }\nkafka: { bootstrapServers: ["h:1"] }', /bridge\.yaml:1: bridge\.name/],
    [
      'bridge: { name: b, region: east }\nkafka:\n  bootstrapServers: ["h:1"]\n  heartbeatIntervalMs: 20000',
      /bridge\.yaml:4: kafka\.heartbeatIntervalMs: must be at most a third/,
    ],
    [`${MINIMAL}management: { port: 8080 }`, /bridge\.yaml:3: management\.port: 8080 is listen\.port, too/],
    [`${MINIMAL}readiness: { maxAgeMs: 100 }`, /bridge\.yaml:3: readiness\.maxAgeMs/],
    [`${MINIMAL}producer: { maxBatchBytes: 2000 }`, /bridge\.yaml:3: producer\.maxBatchBytes/],
    ...['by_duration:', 'by_duration:-PT1H', 'by_duration:1h', 'EARLIEST'].map((policy): [string, RegExp] => [
      `${MINIMAL}consumers: { defaultAutoOffsetReset: "${policy}" }`,
      /bridge\.yaml:3: consumers\.defaultAutoOffsetReset/,
    ]),
    ...['ea st', 'ea.st', 'e'.repeat(101)].map((name): [string, RegExp] => [
      `bridge: { name: b, region: east }\nkafka: { bootstrapServers: ["h:1"], cluster: "${name}" }`,
      /bridge\.yaml:2: kafka\.cluster/,
    ]),
    [`${MINIMAL}limits: { headersTimeoutMs: 70000 }`, /bridge\.yaml:3: limits\.headersTimeoutMs: must be at most/],
    [`${MINIMAL}limits: { maxInFlightBytes: 2000 }`, /bridge\.yaml:3: limits\.maxInFlightBytes: must be at least/],
    [
      `${MINIMAL}cors:\n  allowedOrigins:\n    - https://a.example\n    - /https:(/\n`,
      /bridge\.yaml:6: cors\.allowedOrigins\[1\]: Invalid regular expression/,
    ],
    [
      `${MINIMAL}cors:\n  allowedOrigins:\n    - https://a.example/\n`,
      /bridge\.yaml:5: .*\[0\]: must be \*, an origin/,
    ],
    [`${MINIMAL}cors: { allowedMethods: [BREW] }`, /bridge\.yaml:3: cors\.allowedMethods\[0\]: must be one of: GET/],
    [
      `${MINIMAL}listen:\n  tls:\n    certFile: a\n    keyFile: b\n    keyPassphrase: c\n    keyPassphraseFile: d\n`,
      /bridge\.yaml:8: listen\.tls\.keyPassphraseFile: keyPassphrase and keyPassphraseFile exclude each other/,
    ],
    [kafka('tls: { isEnabled: true, certFile: a }'), /bridge\.yaml:4: kafka\.tls\.certFile: needs kafka\.tls\.keyFile/],
    [kafka('tls: { isEnabled: true, serverName: 10.0.0.1 }'), /kafka\.tls\.serverName: must be a host name/],
    [
      kafka('sasl: { mechanism: GSSAPI }'),
      /bridge\.yaml:4: kafka\.sasl\.mechanism: must be one of: none, PLAIN, SCRAM/,
    ],
    [kafka('sasl: { mechanism: PLAIN, username: u }'), /kafka\.sasl: PLAIN needs either kafka\.sasl\.password or/],
    [
      kafka('sasl: { mechanism: SCRAM-SHA-256, password: p, passwordFile: f }'),
      /kafka\.sasl: SCRAM-SHA-256 needs kafka\.sasl\.username\n.*needs either kafka\.sasl\.password or/,
    ],
    [kafka('identity: client'), /yaml:4: kafka\.identity: client needs kafka\.sasl/],
    [
      kafka(
        'identity: client\n  sasl: { mechanism: PLAIN, username: u, password: p }\n  clients: { mechanisms: [PLAIN, SCRAM-SHA-512] }',
      ),
      /yaml:6: kafka\.clients\.mechanisms: has more than one mechanism for passwords/,
    ],
    [kafka('clients: { mechanisms: [] }'), /kafka\.clients\.mechanisms/],
    [kafka('sasl: { mechanism: OAUTHBEARER }'), /kafka\.sasl: OAUTHBEARER needs one of/],
    [
      kafka('sasl: { mechanism: OAUTHBEARER, oauth: { tokenEndpointUrl: "https://i.example", clientId: c } }'),
      /kafka\.sasl\.oauth: needs either kafka\.sasl\.oauth\.clientSecret or/,
    ],
    [kafka('retryBackoffMinMs: 2000'), /bridge\.yaml:4: kafka\.retryBackoffMinMs: must not be greater/],
    [peer('name: west', ''), /bridge\.yaml:3: clusters\.peer: needs kafka\.cluster/],
    [peer('name: east'), /bridge\.yaml:3: clusters\.peer\.name: east is kafka\.cluster, too/],
    [peer('name: "we st"'), /bridge\.yaml:3: clusters\.peer\.name: must match/],
    [
      peer('name: west, sasl: { mechanism: PLAIN, username: u }'),
      /bridge\.yaml:3: clusters\.peer\.sasl: PLAIN needs either clusters\.peer\.sasl\.password or/,
    ],
    [
      peer('name: west, tls: { isEnabled: true, certFile: a }'),
      /bridge\.yaml:3: clusters\.peer\.tls\.certFile: needs clusters\.peer\.tls\.keyFile/,
    ],
    [`${MINIMAL}clusters: { topics: ["orders-.*", "("] }`, /bridge\.yaml:3: clusters\.topics\[1\]: Invalid regular/],
    [
      `${MINIMAL}producer: { replicatedTopics: ["orders"] }`,
      /bridge\.yaml:3: producer\.replicatedTopics: needs clusters\.peer/,
    ],
    [
      `${MINIMAL}producer: { replicatedTopics: ["a", "("] }`,
      /bridge\.yaml:3: producer\.replicatedTopics\[1\]: Invalid regular/,
    ],
    [
      `${MINIMAL}clusters: { prefer: consistency }`,
      /bridge\.yaml:3: clusters\.prefer: consistency needs clusters\.peer/,
    ],
    [`${MINIMAL}producer: { lingerMs: 20000 }`, /bridge\.yaml:3: producer\.lingerMs: must be less than/],
    [`${MINIMAL}listen:\n  tls:\n    certFile: a\n`, /bridge\.yaml:4: listen\.tls: the key keyFile is missing/],
  ])('%s', (text, expected) => {
    expect(problemsOf(text)).toMatch(expected);
  });
});
