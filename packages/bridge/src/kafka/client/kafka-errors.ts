/**
 * The one table of Kafka's protocol errors, and what each means to the bridge. A new error of Kafka takes one row here.
 *
 * Source: `Errors.java` of Kafka 4.3, https://kafka.apache.org/protocol#protocol_error_codes
 */
import { protocolErrors } from '@platformatic/kafka';
import type { BridgeErrorCode } from '../../errors.ts';

/** What must happen before another attempt may succeed. */
export type Remedy =
  /** Look at the metadata: the topic, its leader or the controller has changed. */
  | 'metadata'
  /** Find the group's coordinator again. */
  | 'coordinator'
  /** Send the same request again after a pause. */
  | 'time'
  /** Send the batch again without the records at fault. */
  | 'fewerRecords'
  /** Send the batch again under another producer id: the broker knows another history of this one (KIP-360). */
  | 'newProducerId';

/** What a group says about a member (KIP-345). */
export type MemberState =
  /** The group does not know the member. */
  | 'forgotten'
  /** Another process joined with the same `group.instance.id`. */
  | 'fenced'
  /** The group is in a later generation. */
  | 'outdated'
  /** The group waits for its members to join again. */
  | 'rebalancing';

export interface KafkaError {
  readonly code: number;
  /** Default: no attempt helps. */
  readonly remedy?: Remedy;
  /** Whether the log may hold, or later get, the batch of a produce request that this error refuses. Default: no. */
  readonly stored?: 'maybe' | 'yes';
  readonly member?: MemberState;
  /** The transaction cannot be committed any more: another producer has its id, or its coordinator has ended it. */
  readonly endsTransaction?: boolean;
  /** Whose fault it is; `none` for steps of a protocol. Default: `kafka`, which includes the rights of the bridge. */
  readonly fault?: 'client' | 'none' | 'kafka';
  /** The error that a client gets, and so its status. Default: `kafkaRefused`. */
  readonly bridgeError?: BridgeErrorCode;
  /** The exception of Kafka's Java clients. Default: the name in camel case. */
  readonly java?: string;
  /** Kafka's text, where the client library has none or an older one. */
  readonly text?: string;
}

export const KAFKA_ERRORS = {
  UNKNOWN_SERVER_ERROR: { code: -1, java: 'UnknownServerException', stored: 'maybe' },
  OFFSET_OUT_OF_RANGE: { code: 1, fault: 'client' },
  CORRUPT_MESSAGE: { code: 2, java: 'CorruptRecordException', remedy: 'fewerRecords' },
  UNKNOWN_TOPIC_OR_PARTITION: { code: 3, remedy: 'metadata', fault: 'client', bridgeError: 'unknownTopic' },
  INVALID_FETCH_SIZE: { code: 4 },
  LEADER_NOT_AVAILABLE: { code: 5, remedy: 'metadata' },
  NOT_LEADER_OR_FOLLOWER: { code: 6, remedy: 'metadata' },
  REQUEST_TIMED_OUT: { code: 7, java: 'TimeoutException', remedy: 'time', stored: 'maybe' },
  BROKER_NOT_AVAILABLE: { code: 8 },
  REPLICA_NOT_AVAILABLE: { code: 9, remedy: 'metadata' },
  MESSAGE_TOO_LARGE: { code: 10, java: 'RecordTooLargeException', remedy: 'fewerRecords', fault: 'client' },
  STALE_CONTROLLER_EPOCH: { code: 11, java: 'ControllerMovedException' },
  OFFSET_METADATA_TOO_LARGE: { code: 12, java: 'OffsetMetadataTooLarge', fault: 'client' },
  NETWORK_EXCEPTION: { code: 13, remedy: 'metadata', stored: 'maybe' },
  COORDINATOR_LOAD_IN_PROGRESS: { code: 14, remedy: 'time' },
  COORDINATOR_NOT_AVAILABLE: { code: 15, remedy: 'coordinator' },
  NOT_COORDINATOR: { code: 16, remedy: 'coordinator' },
  INVALID_TOPIC_EXCEPTION: { code: 17, fault: 'client' },
  RECORD_LIST_TOO_LARGE: { code: 18, java: 'RecordBatchTooLargeException', remedy: 'fewerRecords', fault: 'client' },
  NOT_ENOUGH_REPLICAS: { code: 19, remedy: 'time' },
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: { code: 20, remedy: 'time', stored: 'maybe' },
  INVALID_REQUIRED_ACKS: { code: 21 },
  ILLEGAL_GENERATION: { code: 22, member: 'outdated', fault: 'none' },
  INCONSISTENT_GROUP_PROTOCOL: { code: 23, fault: 'client' },
  INVALID_GROUP_ID: { code: 24, fault: 'client', text: 'The group id is invalid.' },
  UNKNOWN_MEMBER_ID: { code: 25, member: 'forgotten', fault: 'none' },
  INVALID_SESSION_TIMEOUT: { code: 26 },
  REBALANCE_IN_PROGRESS: { code: 27, member: 'rebalancing', fault: 'none' },
  INVALID_COMMIT_OFFSET_SIZE: { code: 28, fault: 'client' },
  TOPIC_AUTHORIZATION_FAILED: { code: 29, java: 'TopicAuthorizationException', bridgeError: 'kafkaForbidden' },
  GROUP_AUTHORIZATION_FAILED: { code: 30, java: 'GroupAuthorizationException', bridgeError: 'kafkaForbidden' },
  CLUSTER_AUTHORIZATION_FAILED: { code: 31, java: 'ClusterAuthorizationException', bridgeError: 'kafkaForbidden' },
  INVALID_TIMESTAMP: { code: 32, remedy: 'fewerRecords', fault: 'client' },
  UNSUPPORTED_SASL_MECHANISM: { code: 33 },
  ILLEGAL_SASL_STATE: { code: 34 },
  UNSUPPORTED_VERSION: { code: 35 },
  TOPIC_ALREADY_EXISTS: { code: 36, java: 'TopicExistsException', fault: 'client' },
  INVALID_PARTITIONS: { code: 37, fault: 'client' },
  INVALID_REPLICATION_FACTOR: { code: 38, fault: 'client' },
  INVALID_REPLICA_ASSIGNMENT: { code: 39 },
  INVALID_CONFIG: { code: 40, java: 'InvalidConfigurationException', fault: 'client' },
  NOT_CONTROLLER: { code: 41, remedy: 'metadata' },
  INVALID_REQUEST: { code: 42 },
  UNSUPPORTED_FOR_MESSAGE_FORMAT: { code: 43 },
  POLICY_VIOLATION: { code: 44, fault: 'client' },
  OUT_OF_ORDER_SEQUENCE_NUMBER: {
    code: 45,
    java: 'OutOfOrderSequenceException',
    remedy: 'newProducerId',
    endsTransaction: true,
  },
  DUPLICATE_SEQUENCE_NUMBER: { code: 46, java: 'DuplicateSequenceException', stored: 'yes' },
  INVALID_PRODUCER_EPOCH: { code: 47, remedy: 'newProducerId', endsTransaction: true },
  INVALID_TXN_STATE: { code: 48, endsTransaction: true },
  INVALID_PRODUCER_ID_MAPPING: {
    code: 49,
    java: 'InvalidPidMappingException',
    remedy: 'newProducerId',
    endsTransaction: true,
  },
  INVALID_TRANSACTION_TIMEOUT: { code: 50, java: 'InvalidTxnTimeoutException' },
  CONCURRENT_TRANSACTIONS: { code: 51, remedy: 'time' },
  TRANSACTION_COORDINATOR_FENCED: { code: 52, endsTransaction: true },
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: {
    code: 53,
    java: 'TransactionalIdAuthorizationException',
    bridgeError: 'kafkaForbidden',
  },
  SECURITY_DISABLED: { code: 54 },
  OPERATION_NOT_ATTEMPTED: { code: 55 },
  KAFKA_STORAGE_ERROR: { code: 56, java: 'KafkaStorageException', remedy: 'metadata', stored: 'maybe' },
  LOG_DIR_NOT_FOUND: { code: 57 },
  SASL_AUTHENTICATION_FAILED: {
    code: 58,
    java: 'SaslAuthenticationException',
    text: 'SASL Authentication failed.',
    bridgeError: 'unauthenticated',
  },
  UNKNOWN_PRODUCER_ID: { code: 59, remedy: 'newProducerId', endsTransaction: true },
  REASSIGNMENT_IN_PROGRESS: { code: 60 },
  DELEGATION_TOKEN_AUTH_DISABLED: { code: 61, java: 'DelegationTokenDisabledException' },
  DELEGATION_TOKEN_NOT_FOUND: { code: 62 },
  DELEGATION_TOKEN_OWNER_MISMATCH: { code: 63 },
  DELEGATION_TOKEN_REQUEST_NOT_ALLOWED: { code: 64, java: 'UnsupportedByAuthenticationException' },
  DELEGATION_TOKEN_AUTHORIZATION_FAILED: {
    code: 65,
    java: 'DelegationTokenAuthorizationException',
    bridgeError: 'kafkaForbidden',
  },
  DELEGATION_TOKEN_EXPIRED: { code: 66 },
  INVALID_PRINCIPAL_TYPE: { code: 67 },
  NON_EMPTY_GROUP: { code: 68, java: 'GroupNotEmptyException' },
  GROUP_ID_NOT_FOUND: { code: 69 },
  FETCH_SESSION_ID_NOT_FOUND: { code: 70, remedy: 'time' },
  INVALID_FETCH_SESSION_EPOCH: { code: 71, remedy: 'time' },
  LISTENER_NOT_FOUND: { code: 72, remedy: 'metadata' },
  TOPIC_DELETION_DISABLED: { code: 73 },
  FENCED_LEADER_EPOCH: { code: 74, remedy: 'metadata' },
  UNKNOWN_LEADER_EPOCH: { code: 75, remedy: 'metadata' },
  UNSUPPORTED_COMPRESSION_TYPE: { code: 76 },
  STALE_BROKER_EPOCH: { code: 77 },
  OFFSET_NOT_AVAILABLE: { code: 78, remedy: 'time' },
  MEMBER_ID_REQUIRED: { code: 79, fault: 'none' },
  PREFERRED_LEADER_NOT_AVAILABLE: { code: 80, remedy: 'metadata' },
  GROUP_MAX_SIZE_REACHED: { code: 81, fault: 'client', text: 'The group has reached its maximum size.' },
  FENCED_INSTANCE_ID: { code: 82, member: 'fenced', fault: 'none' },
  ELIGIBLE_LEADERS_NOT_AVAILABLE: { code: 83, remedy: 'metadata' },
  ELECTION_NOT_NEEDED: { code: 84, remedy: 'metadata' },
  NO_REASSIGNMENT_IN_PROGRESS: { code: 85 },
  GROUP_SUBSCRIBED_TO_TOPIC: { code: 86 },
  INVALID_RECORD: {
    code: 87,
    java: 'org.apache.kafka.common.InvalidRecordException',
    remedy: 'fewerRecords',
    fault: 'client',
  },
  UNSTABLE_OFFSET_COMMIT: { code: 88, remedy: 'time' },
  THROTTLING_QUOTA_EXCEEDED: { code: 89, remedy: 'time' },
  PRODUCER_FENCED: { code: 90, remedy: 'newProducerId', endsTransaction: true },
  RESOURCE_NOT_FOUND: { code: 91 },
  DUPLICATE_RESOURCE: { code: 92 },
  UNACCEPTABLE_CREDENTIAL: { code: 93 },
  INCONSISTENT_VOTER_SET: { code: 94 },
  INVALID_UPDATE_VERSION: { code: 95 },
  FEATURE_UPDATE_FAILED: { code: 96 },
  PRINCIPAL_DESERIALIZATION_FAILURE: { code: 97, java: 'PrincipalDeserializationException' },
  SNAPSHOT_NOT_FOUND: { code: 98 },
  POSITION_OUT_OF_RANGE: { code: 99 },
  UNKNOWN_TOPIC_ID: { code: 100, remedy: 'metadata' },
  DUPLICATE_BROKER_REGISTRATION: { code: 101 },
  BROKER_ID_NOT_REGISTERED: { code: 102 },
  INCONSISTENT_TOPIC_ID: { code: 103, remedy: 'metadata' },
  INCONSISTENT_CLUSTER_ID: { code: 104 },
  TRANSACTIONAL_ID_NOT_FOUND: { code: 105 },
  FETCH_SESSION_TOPIC_ID_ERROR: { code: 106, java: 'FetchSessionTopicIdException', remedy: 'time' },
  INELIGIBLE_REPLICA: { code: 107 },
  NEW_LEADER_ELECTED: { code: 108 },
  OFFSET_MOVED_TO_TIERED_STORAGE: { code: 109 },
  FENCED_MEMBER_EPOCH: { code: 110 },
  UNRELEASED_INSTANCE_ID: { code: 111 },
  UNSUPPORTED_ASSIGNOR: { code: 112 },
  STALE_MEMBER_EPOCH: { code: 113 },
  MISMATCHED_ENDPOINT_TYPE: { code: 114 },
  UNSUPPORTED_ENDPOINT_TYPE: { code: 115 },
  UNKNOWN_CONTROLLER_ID: { code: 116 },
  UNKNOWN_SUBSCRIPTION_ID: { code: 117 },
  TELEMETRY_TOO_LARGE: { code: 118 },
  INVALID_REGISTRATION: { code: 119 },
  TRANSACTION_ABORTABLE: { code: 120, endsTransaction: true },
  INVALID_RECORD_STATE: { code: 121 },
  SHARE_SESSION_NOT_FOUND: { code: 122, remedy: 'time' },
  INVALID_SHARE_SESSION_EPOCH: { code: 123, remedy: 'time' },
  FENCED_STATE_EPOCH: { code: 124 },
  INVALID_VOTER_KEY: { code: 125 },
  DUPLICATE_VOTER: { code: 126 },
  VOTER_NOT_FOUND: { code: 127 },
  INVALID_REGULAR_EXPRESSION: {
    code: 128,
    java: 'InvalidRegularExpression',
    text: 'The regular expression is not valid.',
  },
  REBOOTSTRAP_REQUIRED: {
    code: 129,
    text: 'Client metadata is stale. The client should rebootstrap to obtain new metadata.',
  },
  STREAMS_INVALID_TOPOLOGY: { code: 130, text: 'The supplied topology is invalid.' },
  STREAMS_INVALID_TOPOLOGY_EPOCH: { code: 131, text: 'The supplied topology epoch is invalid.' },
  STREAMS_TOPOLOGY_FENCED: { code: 132, text: 'The supplied topology epoch is outdated.' },
  SHARE_SESSION_LIMIT_REACHED: { code: 133, remedy: 'time', text: 'The limit of share sessions has been reached.' },
} as const satisfies Record<string, KafkaError>;

/** An error's name, as in `Errors.java`. */
export type ErrorId = keyof typeof KAFKA_ERRORS;

export const ERROR_IDS = Object.keys(KAFKA_ERRORS) as readonly ErrorId[];

const IDS_BY_CODE: ReadonlyMap<number, ErrorId> = new Map(ERROR_IDS.map((id) => [KAFKA_ERRORS[id].code, id]));

export function isErrorId(name: string): name is ErrorId {
  return Object.hasOwn(KAFKA_ERRORS, name);
}

export function kafkaError(id: ErrorId): KafkaError {
  return KAFKA_ERRORS[id];
}

/** The error of a code in a response; `undefined` for 0. A code that the table lacks counts as an unknown server error. */
export function errorIdOf(errorCode: number): ErrorId | undefined {
  if (errorCode === 0) return undefined;
  return IDS_BY_CODE.get(errorCode) ?? 'UNKNOWN_SERVER_ERROR';
}

/** Whether Kafka may accept the same request later. */
export function isRetriable(id: ErrorId): boolean {
  const { remedy } = kafkaError(id);
  return remedy === 'metadata' || remedy === 'coordinator' || remedy === 'time';
}

/** Whether the bridge's principal lacks a right. */
export function isForbidden(id: ErrorId): boolean {
  return kafkaError(id).bridgeError === 'kafkaForbidden';
}

/** Kafka's own text for an error. */
export function errorText(id: ErrorId): string {
  return kafkaError(id).text ?? (protocolErrors as Record<string, { message: string } | undefined>)[id]?.message ?? id;
}

/** The class of the exception that Kafka's Java clients throw for an error. */
export function javaClass(id: ErrorId): string {
  const name = kafkaError(id).java ?? `${camelCase(id.replace(/_EXCEPTION$/, ''))}Exception`;
  return name.includes('.') ? name : `org.apache.kafka.common.errors.${name}`;
}

function camelCase(id: string): string {
  return id
    .toLowerCase()
    .split('_')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');
}
