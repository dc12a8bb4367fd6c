import { expect, test } from 'vitest';
import { decodePosition, encodePosition } from './connect-position.ts';
import { startPositions } from './start-positions.ts';

const never = () => false;

test('replication begins behind what the source had at its promotion, where that came from the target', () => {
  const wasCopied = ({ topic, partition }: { topic: string; partition: number }) => topic === 'orders' && partition < 2;
  const point = [
    { topic: 'orders', ends: [10, 0, 7] },
    { topic: 'own', ends: [5] },
  ];
  // A partition without records, one that was never copied, and a topic of the source alone begin at their first record.
  expect(startPositions(point, wasCopied)).toEqual([{ topic: 'orders', partition: 0, offset: 9 }]);
});

test('after a switch-over, the ends of the target say which partitions it has', () => {
  const point = [
    { topic: 'orders', ends: [10, 4], peerEnds: [12, 0] },
    { topic: 'wider', ends: [1, 1], peerEnds: [1] },
  ];
  expect(startPositions(point, never)).toEqual([
    { topic: 'orders', partition: 0, offset: 9 },
    { topic: 'wider', partition: 0, offset: 0 },
  ]);
});

test('without a promotion it begins at the first record', () => {
  expect(startPositions([], () => true)).toEqual([]);
});

test("positions are Kafka Connect's, byte by byte", () => {
  const position = { topic: 'orders', partition: 3, offset: 41 };
  const { key, value } = encodePosition('west', position);
  expect(key.toString()).toBe('["MirrorSourceConnector",{"cluster":"west","partition":3,"topic":"orders"}]');
  expect(value.toString()).toBe('{"offset":41}');
  expect(decodePosition('west', { key, value })).toEqual(position);
  expect(decodePosition('west', { key, value: null })).toEqual({ ...position, offset: -1 });
});

test.each([
  '["MirrorSourceConnector",{"cluster":"east","partition":3,"topic":"orders"}]',
  '["MirrorCheckpointConnector",{"cluster":"west","partition":3,"topic":"orders"}]',
  '["MirrorSourceConnector",{"cluster":"west","topic":"orders"}]',
  '["MirrorSourceConnector"]',
  'null',
  'no JSON',
])('%s is no position in west', (key) => {
  expect(decodePosition('west', { key: Buffer.from(key), value: Buffer.from('{"offset":1}') })).toBeUndefined();
});
