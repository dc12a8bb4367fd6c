/** What an error of the client library means: which protocol error it is, or that the broker could not be reached. */
import {
  GenericError,
  type MultipleErrors,
  protocolErrors,
  protocolErrorsCodesById,
  ResponseError,
} from '@platformatic/kafka';
import { BridgeError, listText } from '../../errors.ts';

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
  // One that was made an answer already keeps the library's as its cause.
  if (error instanceof BridgeError) return protocolErrorId(error.cause);
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

/** Exceptions that Java does not name after the error: https://kafka.apache.org/protocol#protocol_error_codes */
const JAVA_NAMES: Readonly<Record<ErrorId, string>> = {
  CLUSTER_AUTHORIZATION_FAILED: 'ClusterAuthorization',
  CORRUPT_MESSAGE: 'CorruptRecord',
  GROUP_AUTHORIZATION_FAILED: 'GroupAuthorization',
  KAFKA_STORAGE_ERROR: 'KafkaStorage',
  MESSAGE_TOO_LARGE: 'RecordTooLarge',
  RECORD_LIST_TOO_LARGE: 'RecordBatchTooLarge',
  REQUEST_TIMED_OUT: 'Timeout',
  SASL_AUTHENTICATION_FAILED: 'SaslAuthentication',
  TOPIC_ALREADY_EXISTS: 'TopicExists',
  TOPIC_AUTHORIZATION_FAILED: 'TopicAuthorization',
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: 'TransactionalIdAuthorization',
  UNKNOWN_SERVER_ERROR: 'UnknownServer',
};

/** What an error is about, where Java's text names it. */
export interface Subject {
  topics?: readonly string[];
  group?: string;
}

/** The Java exception of an error, as Kafka's clients name it, with its text. */
export function javaException(id: ErrorId, subject: Subject = {}): string {
  const name = JAVA_NAMES[id] ?? camelCase(id.replace(/_EXCEPTION$/, ''));
  return `org.apache.kafka.common.errors.${name}Exception: ${subjectText(id, subject)}`;
}

/** The text alone, as Kafka's clients in Java have it. */
export function subjectText(id: ErrorId, { topics, group }: Subject): string {
  if (id === 'TOPIC_AUTHORIZATION_FAILED' && topics !== undefined) {
    return `Not authorized to access topics: [${listText(topics)}]`;
  }
  if (id === 'GROUP_AUTHORIZATION_FAILED' && group !== undefined) return `Not authorized to access group: ${group}`;
  return errorText(id);
}

function camelCase(id: string): string {
  return id
    .toLowerCase()
    .split('_')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');
}

/** Whether the bridge's principal lacks a right. */
export function isForbidden(id: ErrorId | undefined): boolean {
  return id?.endsWith('_AUTHORIZATION_FAILED') === true;
}

/** The answer for an error of Kafka's. */
export function refusal(id: ErrorId, { cause, ...subject }: Subject & { cause?: unknown } = {}): BridgeError {
  if (id === 'UNKNOWN_TOPIC_OR_PARTITION') return new BridgeError('unknownTopic', { cause });
  const message = javaException(id, subject);
  return new BridgeError(isForbidden(id) ? 'kafkaForbidden' : 'kafkaRefused', { message, cause });
}

/** The answer for a failed call: an error of ours stays as it is. */
export function toBridgeError(error: unknown, subject: Subject = {}): BridgeError {
  if (error instanceof BridgeError) return error;
  const id = protocolErrorId(error);
  if (id !== undefined) return refusal(id, { ...subject, cause: error });
  return new BridgeError('kafkaUnavailable', { message: unavailableMessage(error), cause: error });
}

/** Whether Kafka was not reached, so that nobody knows what it would say. */
export function isUnreached(error: unknown): boolean {
  if (protocolErrorId(error) !== undefined) return false;
  return !(error instanceof BridgeError) || error.code === 'kafkaUnavailable';
}

function unavailableMessage(error: unknown): string {
  return `Kafka cannot be reached: ${reasonOf(error)}`;
}

/** Why a call failed, from the outside to the cause, in one line: `Connection to kafka:9093 failed: certificate has expired`. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const texts: string[] = [];
  for (let inner: unknown = error; inner instanceof Error; inner = causeOf(inner)) {
    const text = ownText(inner);
    if (text !== '' && !texts.includes(text)) texts.push(text);
  }
  return texts.join(': ');
}

function causeOf(error: Error): unknown {
  return (error as Partial<MultipleErrors>).errors?.[0] ?? error.cause;
}

function ownText(error: Error): string {
  // That of the broker says more than that of the library; that of an answer with errors only counts them.
  if (error instanceof ResponseError) return '';
  const { serverErrorMessage } = error as { serverErrorMessage?: unknown };
  const text = typeof serverErrorMessage === 'string' ? serverErrorMessage : error.message || nameOf(error);
  return text.replace(/\.$/, '');
}

/** Node.js puts the attempts at each address of a host into one error without a text. */
function nameOf(error: Error): string {
  return String((error as NodeJS.ErrnoException).code ?? '');
}
