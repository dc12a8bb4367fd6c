import { expect, test } from 'vitest';
import { findConfigProblems } from './load.ts';

const BASE = `regions: [{ name: east, targets: [{ url: "http://127.0.0.1:1" }] }]
auth: { jwt: { issuers: [{ issuer: "https://id.example", audience: [a] }] } }
`;

function problemsOf(text: string, base = BASE): string[] {
  return findConfigProblems(`${base}${text}`, {}).map(({ line, path, reason }) => `${line}: ${path}: ${reason}`);
}

test.each([
  'quotas: {}',
  'quotas: { default: { requestsPerSecond: 1, requestBurst: 5, bytesPerSecond: 1, byteBurst: 1, maxInFlight: 1 } }',
  'quotas: { principals: [{ principals: [a] }, { roles: [b], maxConsumers: 1 }], exempt: [c, 10.0.0.0/8] }',
  'quotas: { failedAuthentications: { perMinute: 1, burst: 1 } }',
])('%s', (text) => {
  expect(problemsOf(text)).toEqual([]);
});

test.each([
  ['default: { requestBurst: 5 }', 'quotas.default.requestBurst: has no effect without requestsPerSecond'],
  ['default: { byteBurst: 5 }', 'quotas.default.byteBurst: has no effect without bytesPerSecond'],
  ['default: { requestsPerSecond: 0 }', 'quotas.default.requestsPerSecond: must be >= 1'],
  ['default: { requestsPerSecond: 1.5 }', 'quotas.default.requestsPerSecond: must be integer'],
  ['principals: [{ maxInFlight: 1 }]', 'quotas.principals[0]: applies to no principal: name principals or roles'],
  [
    'principals: [{ principals: [a] }, { principals: [b, a] }]',
    'quotas.principals[1].principals[1]: an exception before it names a, too, and the first one applies',
  ],
  [
    'principals: [{ roles: [a], byteBurst: 1 }]',
    'quotas.principals[0].byteBurst: has no effect without bytesPerSecond',
  ],
])('quotas: { %s } is refused', (text, expected) => {
  expect(problemsOf(`quotas: { ${text} }`)).toEqual([`3: ${expected}`]);
});

test.each([
  ['principals: [{ principals: [a] }]', 'quotas.principals'],
  ['default: { maxConsumers: 1 }', 'quotas.default.maxConsumers'],
])('without auth, { %s } is refused', (text, path) => {
  const [base = ''] = BASE.split('auth:');
  expect(problemsOf(`quotas: { ${text} }`, base)).toEqual([
    `2: ${path}: has no effect: without auth the gateway knows no principals`,
  ]);
});

test.each([
  ['spiffe://causeway/tier1', 'exempt: []', 1],
  ['spiffe://causeway/tier1', 'exempt: [alice]', 1],
  ['spiffe://causeway/tier1', 'exempt: [10.1.0.0/24]', 0],
])('with the peer %s, a number of connections for each address and %s have %i problems', (peer, exempt, count) => {
  const text = `listen: { tls: { certFile: a, keyFile: b, clientCaFile: c } }
trust: { peers: ["${peer}"] }
quotas: { default: { maxConnections: 5 }, ${exempt} }`;
  expect(problemsOf(text).filter((problem) => problem.includes('list the addresses of these gateways'))).toHaveLength(
    count,
  );
});
