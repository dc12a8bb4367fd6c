/** Maps errors of the client library to protocol errors, and both to responses of the bridge. */
import { GenericError, type MultipleErrors } from '@platformatic/kafka';
import { BridgeError, listText } from '../../errors.ts';
import { chainOf, publicReasonOf } from './failure-reason.ts';
import {
  type ErrorId,
  errorText,
  isErrorId,
  isRetriable,
  javaClass,
  kafkaError,
  type MemberState,
} from './kafka-errors.ts';

/** The first protocol error that a failed call of the library carries. */
export function protocolErrorId(error: unknown): ErrorId | undefined {
  // A `BridgeError` keeps the library's error as its cause.
  if (error instanceof BridgeError) return protocolErrorId(error.cause);
  if (!(error instanceof Error) || !GenericError.isGenericError(error)) return undefined;
  const own: unknown = error['apiId'];
  if (typeof own === 'string') return isErrorId(own) ? own : 'UNKNOWN_SERVER_ERROR';
  for (const inner of (error as MultipleErrors).errors ?? []) {
    const id = protocolErrorId(inner);
    if (id !== undefined) return id;
  }
  return undefined;
}

/** What a failed call says about the group's member; `undefined` for every other failure. */
export function memberStateIn(error: unknown): MemberState | undefined {
  const id = protocolErrorId(error);
  return id === undefined ? undefined : kafkaError(id).member;
}

/**
 * The library throws when a response has an error anywhere; the whole response is in the error. `undefined` when the broker did not
 * respond.
 */
export function responseIn<Response>(error: unknown): Response | undefined {
  return (error as { response?: Response } | undefined)?.response;
}

/** What Java's text of an error names. */
export interface Subject {
  topics?: readonly string[];
  group?: string;
}

/** The Java exception of an error, as Kafka's clients name it, with its text. */
export function javaException(id: ErrorId, subject: Subject = {}): string {
  return `${javaClass(id)}: ${subjectText(id, subject)}`;
}

/** The text alone, as Kafka's clients in Java have it. */
export function subjectText(id: ErrorId, { topics, group }: Subject): string {
  if (id === 'TOPIC_AUTHORIZATION_FAILED' && topics !== undefined) {
    return `Not authorized to access topics: [${listText(topics)}]`;
  }
  if (id === 'GROUP_AUTHORIZATION_FAILED' && group !== undefined) return `Not authorized to access group: ${group}`;
  return errorText(id);
}

/** The response for a protocol error. */
export function refusal(id: ErrorId, { cause, ...subject }: Subject & { cause?: unknown } = {}): BridgeError {
  const { bridgeError = 'kafkaRefused' } = kafkaError(id);
  // The text of an unknown topic is fixed: the same for every operation.
  return new BridgeError(
    bridgeError,
    bridgeError === 'unknownTopic' ? { cause } : { message: javaException(id, subject), cause },
  );
}

/** The response for a failed call; a `BridgeError` stays as it is. Its text names no broker: `reasonOf` does, for logs. */
export function toBridgeError(error: unknown, subject: Subject = {}): BridgeError {
  if (error instanceof BridgeError) return error;
  const id = protocolErrorId(error);
  if (id !== undefined) return refusal(id, { ...subject, cause: error });
  return new BridgeError('kafkaUnavailable', {
    message: `Kafka cannot be reached${withColon(publicReasonOf(error))}`,
    cause: error,
  });
}

/** Whether another attempt may succeed: Kafka was not reached, or calls its error retriable. */
export function mayBeRetried(error: unknown): boolean {
  const id = protocolErrorId(error);
  return id === undefined ? isUnreached(error) : isRetriable(id);
}

/** Whether the call failed without an error from Kafka. */
export function isUnreached(error: unknown): boolean {
  if (protocolErrorId(error) !== undefined) return false;
  return !(error instanceof BridgeError) || error.code === 'kafkaUnavailable';
}

/**
 * What brokers said about the credentials of a connection that could not be made; `undefined` when they said nothing: a connection
 * that breaks meanwhile is an authentication error of the library, too.
 */
export function authenticationFailureIn(error: unknown): 'refused' | 'unsupported' | undefined {
  for (const inner of chainOf(error)) {
    const { apiId } = inner as { apiId?: unknown };
    if (apiId === 'SASL_AUTHENTICATION_FAILED') return 'refused';
    if (apiId === 'UNSUPPORTED_SASL_MECHANISM') return 'unsupported';
  }
  return undefined;
}

/** Whether Kafka refuses the credentials of the client: no other broker and no later attempt with them helps. */
export function isUnauthenticated(error: unknown): error is BridgeError {
  return error instanceof BridgeError && error.code === 'unauthenticated';
}

function withColon(reason: string | undefined): string {
  return reason === undefined ? '' : `: ${reason}`;
}
