/** The bridge's one error class, and the one table of its codes: status and message for clients, fault for gateways. */
import { FAULT_OF_CLUSTER } from '@causeway/protocol/clusters.ts';
import { FAULT_OF_KAFKA, FAULT_OF_REQUEST } from '@causeway/protocol/routing.ts';

/** Whose fault an error >= 500 is (`causeway-fault`); `undefined`: this bridge's. */
export type Fault = typeof FAULT_OF_REQUEST | typeof FAULT_OF_KAFKA | typeof FAULT_OF_CLUSTER;

const ERRORS = {
  notFound: { status: 404, message: 'Not Found' },
  badRequest: { status: 400, message: 'Bad Request' },
  bodyTypeUnsupported: {
    status: 400,
    message: 'Validation error on: The format of the request body is not supported',
  },
  bodyMissing: {
    status: 400,
    message: 'Validation error on: The related request does not contain the required body.',
  },
  bodyUndecodable: { status: 400, message: "Validation error on: The request body can't be decoded" },
  schemaViolation: { status: 400, message: 'Validation error on: Schema validation error' },
  /** Kafka decides who a client is (`kafka.identity: client`), and the request has no credentials, or Kafka refuses them. */
  unauthenticated: { status: 401, message: 'Kafka does not accept the credentials of the request' },
  contentCodingUnsupported: { status: 415, message: 'The content coding of the request body is not supported' },
  bodyTooLarge: { status: 413, message: 'The request body is too large' },
  /** A value that fits the schema and cannot be used; the message names it. */
  invalidValue: { status: 422, message: 'Unprocessable Entity' },
  responseTooLarge: {
    status: 422,
    message: 'Response exceeds the maximum number of bytes the consumer can receive',
  },
  consumerNotFound: { status: 404, message: 'The specified consumer instance was not found.' },
  /** Another bridge owns the consumer, or no bridge does; only gateways get this response. */
  misdirected: { status: 421, message: 'The consumer lives on another bridge.' },
  consumerExists: {
    status: 409,
    message: 'A consumer instance with the specified name already exists in the Kafka Bridge.',
  },
  /** Another request of the same consumer is in flight; the message names it. */
  consumerBusy: { status: 409, message: 'Another request of this consumer is under way.' },
  /** Another request has the same Idempotency-Key. */
  keyReused: { status: 422, message: 'The Idempotency-Key was used for another request.' },
  /** The request with this Idempotency-Key is under way. */
  keyBusy: { status: 409, message: 'A request with the same Idempotency-Key is under way.' },
  keyUnsupported: {
    status: 501,
    fault: FAULT_OF_REQUEST,
    message:
      'This bridge serves no Idempotency-Key: it is switched off, or each client uses Kafka as itself (kafka.identity: client)',
  },
  subscriptionConflict: {
    status: 409,
    message: 'Subscriptions to topics, partitions, and patterns are mutually exclusive.',
  },
  notSubscribed: {
    status: 500,
    fault: FAULT_OF_REQUEST,
    message: 'Consumer is not subscribed to any topics or assigned any partitions',
  },
  /** A position in a partition that is not assigned to the consumer; the message names it. */
  notAssigned: { status: 404, message: 'No current assignment' },
  negativeOffset: { status: 500, fault: FAULT_OF_REQUEST, message: 'seek offset must not be a negative number' },
  formatMismatch: {
    status: 406,
    message: 'Consumer format does not match the embedded format requested by the Accept header.',
  },
  /** A stored record that the consumer's format cannot show. */
  recordUndecodable: { status: 406, message: 'Failed to decode' },
  unknownTopic: {
    status: 404,
    message:
      'org.apache.kafka.common.errors.UnknownTopicOrPartitionException: This server does not host this topic-partition.',
  },
  unknownPartition: { status: 404, message: 'Specified partition does not exist.' },
  /** Kafka refused the request; the message is its Java exception with its text, as clients know it. */
  kafkaRefused: { status: 500, fault: FAULT_OF_REQUEST, message: 'Kafka refused the request' },
  /** The bridge's principal lacks a right; the message is Kafka's Java exception with its text. */
  kafkaForbidden: { status: 403, message: 'Kafka does not allow the request' },
  /** The rules of a gateway do not allow it, or the consumer belongs to another principal; the message names what. */
  forbidden: { status: 403, message: 'Forbidden' },
  /** An internal topic; the message names it. */
  topicClosed: { status: 403, message: 'The topic is internal.' },
  /** The group no longer knows this member. */
  commitRefused: {
    status: 500,
    fault: FAULT_OF_REQUEST,
    message:
      'org.apache.kafka.clients.consumer.CommitFailedException: Offset commit cannot be completed since the consumer is not part of an active group for auto partition assignment; it is likely that the consumer was kicked out of the group.',
  },
  /** Another bridge over the same Kafka cannot help. */
  kafkaUnavailable: { status: 503, fault: FAULT_OF_KAFKA, message: 'Kafka did not answer in time' },
  /** The bridge's cluster is not the active one, and nothing was executed; the message says which is, and gateways get its promotion. */
  clusterInactive: { status: 503, fault: FAULT_OF_CLUSTER, message: 'The Kafka cluster of this bridge is not active' },
  /** The cluster stopped being active while the request was under way: it may have been executed there, and not be replicated. */
  clusterLost: { status: 504, fault: FAULT_OF_CLUSTER, message: 'The Kafka cluster stopped serving clients' },
  /** A promotion that is not possible now, or a rejoin; the message says why. */
  promotionRefused: { status: 409, message: 'The cluster cannot be promoted now' },
  /** What a format with schemas needs does not respond, or fails: another bridge may have another source of schemas. */
  schemasUnavailable: { status: 503, fault: FAULT_OF_REQUEST, message: 'The schemas of the records are not available' },
  producerDisabled: {
    status: 503,
    fault: FAULT_OF_REQUEST,
    message: 'Producer is disabled in config. To enable producer update http.producer.enabled to true',
  },
  consumerDisabled: {
    status: 503,
    fault: FAULT_OF_REQUEST,
    message: 'Consumer is disabled in config. To enable consumer update http.consumer.enabled to true',
  },
  /** With `async=true`, where the response has no entries. */
  recordTooLarge: { status: 413, message: 'The record is too large' },
  tooManyHeaders: { status: 413, message: 'A record has too many headers' },
  tooManyRecords: { status: 413, message: 'The request has too many records' },
  /** The message names the list in the request, and the limit. */
  tooManyEntries: { status: 413, message: 'The request has too many entries' },
  /** The message has the size in the session log, and the limit. */
  sessionTooLarge: { status: 413, message: 'The state of the consumer is too large' },
  /** The principal has as many consumers as it may have in the whole system; the message has the limit. */
  tooManyConsumers: { status: 429, message: 'The principal has too many consumers' },
  /** A limit that a client can reach by itself: gateways may try another bridge, and do not count it against this one. */
  overloaded: { status: 503, fault: FAULT_OF_REQUEST, message: 'Bridge is overloaded, please retry later' },
  shuttingDown: { status: 503, message: 'Bridge is shutting down' },
  notReady: { status: 503, message: 'Bridge is not ready' },
  /** A defect of the bridge in the work for one request: another bridge has the same code. */
  internal: { status: 500, fault: FAULT_OF_REQUEST, message: 'Internal Server Error' },
} as const satisfies Record<string, { status: number; message: string; fault?: Fault }>;

export type BridgeErrorCode = keyof typeof ERRORS;
export const BRIDGE_ERROR_CODES = Object.keys(ERRORS) as readonly BridgeErrorCode[];

export interface BridgeErrorOptions {
  /** Default: the table's. */
  message?: string;
  /** Only for `schemaViolation`. */
  validationErrors?: string[];
  retryAfterSeconds?: number;
  /** Default: the table's. */
  fault?: Fault;
  /** Only for `misdirected`: who owns the consumer, as `region/bridge`. */
  owner?: string | undefined;
  /** Only for `unauthenticated`: the ways to authenticate (RFC 9110 §11.6.1). */
  challenges?: readonly string[] | undefined;
  /** The highest promotion that the bridge knows, for gateways. */
  promotion?: string | undefined;
  cause?: unknown;
}

/** An error with an HTTP response. */
export class BridgeError extends Error {
  readonly code: BridgeErrorCode;
  readonly validationErrors: string[] | undefined;
  readonly retryAfterSeconds: number | undefined;
  readonly owner: string | undefined;
  readonly challenges: readonly string[] | undefined;
  readonly fault: Fault | undefined;
  readonly promotion: string | undefined;

  constructor(code: BridgeErrorCode, options: BridgeErrorOptions = {}) {
    super(options.message ?? ERRORS[code].message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'BridgeError';
    this.code = code;
    this.validationErrors = options.validationErrors;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.owner = options.owner;
    this.challenges = options.challenges;
    this.promotion = options.promotion;
    const { fault }: { status: number; fault?: Fault } = ERRORS[code];
    this.fault = options.fault ?? fault;
  }

  get status(): number {
    return statusOf(this.code);
  }
}

export function statusOf(code: BridgeErrorCode): number {
  return ERRORS[code].status;
}

/** The most entries that a message shows of a list in a request. */
const MAX_LISTED = 100;

/** A list for a message: its first entries, and the number of the others. */
export function listText(entries: readonly string[]): string {
  if (entries.length <= MAX_LISTED) return entries.join(', ');
  return `${entries.slice(0, MAX_LISTED).join(', ')} and ${entries.length - MAX_LISTED} more`;
}
