import { expect, test } from 'vitest';
import { BRIDGE_ERROR_CODES, BridgeError, type BridgeErrorCode } from './errors.ts';

/** What says something about the bridge that answers, and is for a gateway to count. */
const OF_BRIDGE: ReadonlySet<BridgeErrorCode> = new Set(['shuttingDown', 'notReady']);

const OF_KAFKA: ReadonlyMap<BridgeErrorCode, string> = new Map([
  ['kafkaUnavailable', 'kafka'],
  ['clusterLost', 'cluster'],
  ['clusterInactive', 'cluster'],
]);

test.each(BRIDGE_ERROR_CODES)('%s blames the bridge only if the bridge is the cause', (code) => {
  const { status, fault } = new BridgeError(code);
  const expected = OF_KAFKA.get(code) ?? 'request';
  expect(fault).toBe(status < 500 || OF_BRIDGE.has(code) ? undefined : expected);
});
