import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ownerName } from './kafka-access.ts';

test('consumers belong to the client as Kafka knows it, and as gateways do if that is another name', () => {
  expect(ownerName('alice', undefined)).toBe('alice');
  expect(ownerName('alice', 'alice')).toBe('alice');
  expect(ownerName('alice', 'robot-7')).toBe('alice,robot-7');
});

test('two owners never have the same name', () => {
  const name = fc.string({ unit: fc.constantFrom(...'ab,% é'), minLength: 1, maxLength: 4 });
  const owner = fc.tuple(name, fc.option(name, { nil: undefined }));
  fc.assert(
    fc.property(owner, owner, ([nameA, gatewayA], [nameB, gatewayB]) => {
      const isSame = nameA === nameB && (gatewayA ?? nameA) === (gatewayB ?? nameB);
      expect(ownerName(nameA, gatewayA) === ownerName(nameB, gatewayB)).toBe(isSame);
    }),
  );
});
