import { describe, expect, test } from 'vitest';
import * as routing from './routing.ts';
import {
  formatBridge,
  formatDelivery,
  formatHop,
  parseBridge,
  parseDelivery,
  parseHops,
  parseList,
} from './routing.ts';

test('names on the wire stay as other versions of gateways and bridges know them', () => {
  const { CAUSEWAY_PREFIX, NOTHING_DELIVERED, ...names } = Object.fromEntries(
    Object.entries(routing).filter(([, value]) => typeof value === 'string'),
  );
  expect(CAUSEWAY_PREFIX).toBe('causeway-');
  expect(NOTHING_DELIVERED).toBe('0');
  expect(names).toEqual({
    SECRET_HEADER: 'causeway-secret',
    GATEWAY_HEADER: 'causeway-gateway',
    BRIDGE_HEADER: 'causeway-bridge',
    FAULT_HEADER: 'causeway-fault',
    FAULT_OF_REQUEST: 'request',
    FAULT_OF_KAFKA: 'kafka',
    OWNER_HEADER: 'causeway-owner',
    FAILED_HEADER: 'causeway-failed',
    RELEASE_HEADER: 'causeway-release',
    DELIVERED_HEADER: 'causeway-delivered',
    DELIVERY_HEADER: 'causeway-delivery',
    DELIVERED_PATH: '/causeway-delivered',
    KAFKA_HEADER: 'causeway-kafka',
    KAFKA_CLUSTER_HEADER: 'causeway-kafka-cluster',
    KAFKA_ANSWERED_HEADER: 'causeway-kafka-answered',
    SUSPECT_HEADER: 'causeway-suspect',
    OPERATOR_HEADER: 'causeway-operator',
    ASKED_BY_HEADER: 'causeway-asked-by',
    SESSIONS_PATH: '/causeway-sessions',
    PRINCIPAL_HEADER: 'causeway-principal',
    TOPICS_HEADER: 'causeway-topics',
    ENFORCED_HEADER: 'causeway-enforced',
    MAX_CONSUMERS_HEADER: 'causeway-max-consumers',
    MAX_RESPONSE_BYTES_HEADER: 'causeway-max-response-bytes',
  });
  // Gateways strip headers with this prefix from requests of clients.
  for (const [name, header] of Object.entries(names)) {
    if (name.endsWith('_HEADER')) expect(header).toMatch(/^causeway-/);
  }
  // Leaves time for the confirmation to arrive.
  expect(routing.CONFIRMATION_TIMEOUT_MS).toBeGreaterThan(routing.CONFIRM_AFTER_MS);
});

describe('hops', () => {
  test('are parsed as they were formatted', () => {
    const hops = [
      { region: undefined, name: 'tier1' },
      { region: 'east', name: 'gw/1' },
    ];
    expect(hops.map(formatHop)).toEqual(['tier1', 'east/gw/1']);
    expect(parseHops(hops.map(formatHop).join(', '))).toEqual(hops);
  });

  test('are empty without a header, or for an empty one', () => {
    expect(parseHops(undefined)).toEqual([]);
    expect(parseHops(' , ')).toEqual([]);
  });
});

test('lists are parsed without spaces and empty entries', () => {
  expect(parseList('a, b ,,c,')).toEqual(['a', 'b', 'c']);
  expect(parseList('')).toEqual([]);
  expect(parseList(undefined)).toEqual([]);
});

test.each([
  [{ mark: '17', isAwaited: false }, '17'],
  [{ mark: '17', isAwaited: true }, '17;now'],
])('the delivery %j is formatted as %s, and parsed back', (delivery, text) => {
  expect(formatDelivery(delivery)).toBe(text);
  expect(parseDelivery(text)).toEqual(delivery);
});

test('words that a later version adds to a delivery are ignored', () => {
  expect(parseDelivery('17;later')).toEqual({ mark: '17', isAwaited: false });
  expect(parseDelivery('17;now;more')).toEqual({ mark: '17', isAwaited: true });
});

describe('a bridge', () => {
  test.each([
    ['east', 'b-1'],
    ['a.B_9', '0'],
    ['EU-west', 'zZ09._-'],
  ])('of region %s with the name %s is parsed back', (region, name) => {
    expect(parseBridge(formatBridge({ region, name }))).toEqual({ region, name });
  });

  test.each(['', 'east', 'east/', '/b', 'east/b/c', ' east/b', 'east/b ', 'ea st/b', 'east/b,west/c', undefined])(
    'is undefined for %j',
    (text) => {
      expect(parseBridge(text)).toBeUndefined();
    },
  );
});
