import { initProducerIdV4, ResponseError } from '@platformatic/kafka';
import { expect, test } from 'vitest';
import { BridgeError } from '../errors.ts';
import { toBridgeError } from '../kafka/client/failure.ts';
import { type ErrorId, kafkaError } from '../kafka/client/kafka-errors.ts';
import { toRepeatable } from './repeatable.ts';

/** What the bridge makes of a coordinator's response with this error. */
function refusalWith(id: ErrorId): BridgeError {
  const { key, version } = initProducerIdV4.api;
  return toBridgeError(new ResponseError(key, version, { '/': [kafkaError(id).code, null] }, {}));
}

test.each([
  // The coordinator moves, or its last transaction cannot end yet: the client repeats the request.
  ['NOT_COORDINATOR', 503, 1],
  ['COORDINATOR_LOAD_IN_PROGRESS', 503, 1],
  ['COORDINATOR_NOT_AVAILABLE', 503, 1],
  ['CONCURRENT_TRANSACTIONS', 503, 1],
  ['NOT_LEADER_OR_FOLLOWER', 503, 1],
  ['TRANSACTIONAL_ID_AUTHORIZATION_FAILED', 403, undefined],
  ['INVALID_TRANSACTION_TIMEOUT', 500, undefined],
] as const)('%s is %i', (id, status, retryAfterSeconds) => {
  const refused = refusalWith(id);
  const error = toRepeatable(refused);
  expect(error).toMatchObject({ status, message: refused.message });
  expect((error as BridgeError).retryAfterSeconds).toBe(retryAfterSeconds);
});

test('other errors stay as they are', () => {
  for (const error of [new BridgeError('keyReused'), new BridgeError('kafkaRefused'), new TypeError('x')]) {
    expect(toRepeatable(error)).toBe(error);
  }
});
