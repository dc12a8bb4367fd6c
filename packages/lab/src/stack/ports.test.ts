import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { assertPortsFree, defaultPorts, describePorts, findFreePorts, findStackPorts } from './ports.ts';

test('the default ports are the documented ones', () => {
  expect(defaultPorts({})).toEqual({
    tier1: 8080,
    tier1Admin: 8081,
    regions: {
      east: { gateway: 8180, gatewayAdmin: 8181, bridge: 8282 },
      west: { gateway: 8280, gatewayAdmin: 8281, bridge: 8283 },
    },
    kafka: [9092, 9093],
  });
  expect(defaultPorts({ brokerCount: 3 }).kafka).toEqual([9092, 9093, 9094, 9095, 9096, 9097]);
  expect(defaultPorts({ clusterCount: 2 })).toMatchObject({ kafka: [9092, 9093], westKafka: [9192, 9193] });
});

test('a port base moves every port by the same distance', () => {
  const distances = describePorts(defaultPorts({ brokerCount: 3 }, 18_080)).map(
    ({ port }, index) => port - (describePorts(defaultPorts({ brokerCount: 3 }))[index]?.port ?? 0),
  );
  expect(new Set(distances)).toEqual(new Set([10_000]));
});

test('an error names the port in use, its purpose and the remedy', async () => {
  const ports = await findStackPorts();
  await assertPortsFree(ports);
  const server = createServer().listen(ports.regions.west.bridge, '127.0.0.1');
  await once(server, 'listening');
  try {
    await expect(assertPortsFree(ports)).rejects.toMatchObject({
      code: 'portInUse',
      message: `Port ${ports.regions.west.bridge} (for the west bridge) is already in use: stop the process that listens there, or move every port of the lab with --port-base N.`,
    });
  } finally {
    server.close();
  }
});

test('a process finds no port twice, also when it looks many times at once', async () => {
  const found = await Promise.all(Array.from({ length: 50 }, () => findFreePorts(4)));
  expect(new Set(found.flat()).size).toBe(200);
});
