/** What an error of the client library means: which protocol error it is, or that the broker could not be reached. */
import { GenericError, type MultipleErrors, protocolErrors, protocolErrorsCodesById } from '@platformatic/kafka';
import { BridgeError } from '../errors.ts';

/** A protocol error's name, as in Kafka's `Errors.java`: `UNKNOWN_MEMBER_ID`. */
export type ErrorId = string;

/** The name of an error code of a response; `undefined` for 0. */
export function errorIdOf(errorCode: number): ErrorId | undefined {
  if (errorCode === 0) return undefined;
  return (protocolErrorsCodesById as Record<number, string>)[errorCode] ?? 'UNKNOWN_SERVER_ERROR';
}

/** Kafka's own text for an error. */
export function errorText(id: ErrorId): string {
  const known = (protocolErrors as Record<string, { message: string } | undefined>)[id];
  return known?.message ?? id;
}

/** The first protocol error that a failed call of the library carries. */
export function protocolErrorId(error: unknown): ErrorId | undefined {
  if (!(error instanceof Error) || !GenericError.isGenericError(error)) return undefined;
  const own: unknown = error['apiId'];
  if (typeof own === 'string') return own;
  for (const inner of (error as MultipleErrors).errors ?? []) {
    const id = protocolErrorId(inner);
    if (id !== undefined) return id;
  }
  return undefined;
}

/**
 * The library throws a response that has an error anywhere; the response, with everything that went well, is in the
 * error. `undefined` when the broker did not answer.
 */
export function responseIn<Response>(error: unknown): Response | undefined {
  return (error as { response?: Response } | undefined)?.response;
}

/** The Java exception of an error, as Kafka's clients name it, with its text. */
export function javaException(id: ErrorId): string {
  const words = id
    .replace(/_EXCEPTION$/, '')
    .toLowerCase()
    .split('_');
  const name = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
  return `org.apache.kafka.common.errors.${name}Exception: ${errorText(id)}`;
}

/** The answer for a failed call: an error of ours stays as it is. */
export function toBridgeError(error: unknown): BridgeError {
  if (error instanceof BridgeError) return error;
  const id = protocolErrorId(error);
  if (id === undefined)
    return new BridgeError('kafkaUnavailable', { message: unavailableMessage(error), cause: error });
  if (id === 'UNKNOWN_TOPIC_OR_PARTITION') return new BridgeError('unknownTopic', { cause: error });
  return new BridgeError('kafkaRefused', { message: javaException(id), cause: error });
}

function unavailableMessage(error: unknown): string {
  return `Kafka cannot be reached: ${error instanceof Error ? error.message : String(error)}`;
}
