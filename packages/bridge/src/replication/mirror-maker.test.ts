/** The formats of MirrorMaker's records, by bytes that MirrorMaker 4.3.1 has written. */
import { expect, test } from 'vitest';
import {
  decodeCheckpoint,
  decodeOffsetSync,
  encodeCheckpoint,
  encodeOffsetSync,
  isNeverMirrored,
} from './mirror-maker.ts';

const SYNC = {
  key: Buffer.from('00066f726465727300000002', 'hex'),
  value: Buffer.from('00000000000000fa00000000000000eb', 'hex'),
};
const CHECKPOINT = {
  key: Buffer.from('000672656164657200066f726465727300000002', 'hex'),
  value: Buffer.from('000000000000000000fa00000000000000eb0000', 'hex'),
};

test('an offset sync is read and written', () => {
  const sync = { topic: 'orders', partition: 2, upstream: 250n, downstream: 235n };
  expect(decodeOffsetSync(SYNC)).toEqual(sync);
  expect(encodeOffsetSync(sync)).toEqual(SYNC);
});

test('a checkpoint is read and written', () => {
  const checkpoint = { group: 'reader', topic: 'orders', partition: 2, upstream: 250n, downstream: 235n };
  expect(decodeCheckpoint(CHECKPOINT)).toEqual(checkpoint);
  expect(encodeCheckpoint(checkpoint)).toEqual(CHECKPOINT);
});

test('other records are skipped', () => {
  expect(decodeOffsetSync({ key: SYNC.key, value: null })).toBeUndefined();
  expect(decodeOffsetSync({ key: null, value: SYNC.value })).toBeUndefined();
  expect(decodeOffsetSync({ key: SYNC.key.subarray(0, 9), value: SYNC.value })).toBeUndefined();
  expect(decodeOffsetSync({ key: Buffer.concat([SYNC.key, Buffer.alloc(1)]), value: SYNC.value })).toBeUndefined();
  expect(decodeCheckpoint({ key: CHECKPOINT.key, value: null })).toBeUndefined();
  const later = Buffer.from(CHECKPOINT.value);
  later.writeInt16BE(1, 0);
  expect(decodeCheckpoint({ key: CHECKPOINT.key, value: later })).toBeUndefined();
  for (let end = 0; end < CHECKPOINT.key.length; end += 1) {
    expect(decodeCheckpoint({ key: CHECKPOINT.key.subarray(0, end), value: CHECKPOINT.value })).toBeUndefined();
  }
});

test.each([
  ['__causeway_sessions', true],
  ['__consumer_offsets', true],
  ['.hidden', true],
  ['mm2-offset-syncs.east.internal', true],
  ['east.checkpoints.internal', true],
  ['mm2-configs.east-internal', true],
  ['orders.replica', true],
  ['causeway-sessions', false],
  ['internal', false],
  ['orders', false],
])('MirrorMaker never copies %s: %s', (topic, isNever) => {
  expect(isNeverMirrored(topic)).toBe(isNever);
});
