/** Errors after which a client repeats its request, as it sees them. */
import { BridgeError } from '../errors.ts';
import { protocolErrorId } from '../kafka/client/failure.ts';
import { isRetriable } from '../kafka/client/kafka-errors.ts';

const RETRY_AFTER_SECONDS = 1;

/** The error of a request with a key: 503 with `Retry-After` for what Kafka has no answer for now, or refuses only for now. */
export function toRepeatable(error: unknown): unknown {
  if (!(error instanceof BridgeError) || error.retryAfterSeconds !== undefined) return error;
  const id = protocolErrorId(error);
  const isForNow = error.code === 'kafkaRefused' && id !== undefined && isRetriable(id);
  if (error.code !== 'kafkaUnavailable' && !isForNow) return error;
  const { message } = error;
  return new BridgeError('kafkaUnavailable', { message, retryAfterSeconds: RETRY_AFTER_SECONDS, cause: error });
}
