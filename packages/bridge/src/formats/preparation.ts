/** Makes codecs of formats with schemas ready, within a time limit, and no longer than a request waits for them. */
import { BridgeError } from '../errors.ts';
import { type Codec, type Format, hasSchemas, type SchemaFormat } from './codec.ts';

/**
 * A consumer's other operations wait longer than this for their turn, and a gateway waits longer than this and
 * `producer.deliveryTimeoutMs` for a produce request.
 */
export const PREPARE_TIMEOUT_MS = 4000;

export const NO_SCHEMA_IDS: ReadonlySet<number> = new Set();

/** What is prepared, and until when. */
export interface Preparation {
  topic: string;
  schemaIds: ReadonlySet<number>;
  /** On the clock of `performance.now()`. */
  deadlineAtMs: number;
  /** Ends it at once; it then throws the signal's reason. */
  signal: AbortSignal | undefined;
}

/** Also a format that ignores its signal is waited for no longer. Errors: `schemasUnavailable`, those of the format, the signal's reason. */
export async function prepareCodec(format: SchemaFormat, preparation: Preparation): Promise<Codec> {
  const { topic, schemaIds, deadlineAtMs, signal } = preparation;
  signal?.throwIfAborted();
  const over = new AbortController();
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const end = (reason: unknown): void => {
    reject(reason);
    over.abort(reason);
  };
  const onAbort = (): void => end(signal?.reason);
  const timer = setTimeout(
    () => end(new BridgeError('schemasUnavailable', { message: 'The schemas of the records did not arrive in time' })),
    Math.max(0, deadlineAtMs - performance.now()),
  );
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([format.prepare(topic, schemaIds, { signal: over.signal }), ended]);
  } catch (error) {
    if (over.signal.aborted) throw over.signal.reason;
    throw error instanceof BridgeError ? error : unavailable(error);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

/**
 * The codec for the records of a request: at once for a format without schemas. Errors: as {@link prepareCodec}, and `badRequest` when the
 * client goes away.
 */
export function codecForRequest(
  format: Format,
  topic: string,
  visit: { readonly over: AbortSignal },
): Codec | Promise<Codec> {
  return hasSchemas(format) ? preparedForRequest(format, topic, visit.over) : format;
}

async function preparedForRequest(format: SchemaFormat, topic: string, signal: AbortSignal): Promise<Codec> {
  const deadlineAtMs = performance.now() + PREPARE_TIMEOUT_MS;
  try {
    return await prepareCodec(format, { topic, schemaIds: NO_SCHEMA_IDS, deadlineAtMs, signal });
  } catch (error) {
    throw signal.aborted ? new BridgeError('badRequest', { cause: error }) : error;
  }
}

function unavailable(cause: unknown): BridgeError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new BridgeError('schemasUnavailable', {
    message: `The schemas of the records are not available: ${reason}`,
    cause,
  });
}
