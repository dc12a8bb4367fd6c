/** As whom the operations of a request use Kafka: as the bridge, or as the client (`kafka.identity: client`). */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { formatPrincipal } from '@causeway/protocol/principal.ts';
import type { PartitionMetadata, TopicMetadata } from '@causeway/protocol/topics.ts';
import type { Sender } from '../consumers/sender.ts';
import type { SessionAccount } from '../consumers/session-account.ts';
import type { KeyedProducer } from '../idempotency/keyed-producer.ts';
import type { OffsetRange, ProduceResult, RecordToProduce } from '../records.ts';

/** Stores records. */
export interface RecordSink {
  /** `bodyBytes`: the size of the request's body, whose memory records may share. */
  send(topic: string, records: readonly RecordToProduce[], bodyBytes: number): Promise<ProduceResult[]>;
  /** Accepts all or none, without waiting for Kafka to store them. Errors: when one of them cannot be stored. */
  takeOver(
    topic: string,
    records: readonly RecordToProduce[],
    bodyBytes: number,
  ): Promise<{ results: Promise<ProduceResult[]> }>;
}

/** Stores records of requests with an Idempotency-Key, once each. */
export type KeyedSink = Pick<KeyedProducer, 'send'>;

/** Describes topics. Errors: `unknownTopic`, `kafkaRefused`, `kafkaUnavailable`. */
export interface TopicCatalog {
  /** Names of all topics that are not internal. */
  list(): Promise<string[]>;
  describe(topic: string): Promise<TopicMetadata>;
  /** By number. */
  partitions(topic: string): Promise<PartitionMetadata[]>;
  /** `undefined` when the topic has no such partition. Errors: also `invalidValue` for an illegal name. */
  offsets(topic: string, partition: number): Promise<OffsetRange | undefined>;
}

export interface TopicToCreate {
  name: string;
  /** -1: the broker's default. */
  partitionCount: number;
  /** -1: the broker's default. */
  replicationFactor: number;
}

/** Creates topics. Errors: `kafkaRefused` with Kafka's text, `kafkaUnavailable`. */
export interface TopicCreator {
  create(topic: TopicToCreate): Promise<void>;
}

export interface KafkaAccess {
  readonly sink: RecordSink;
  /** For requests with an Idempotency-Key; `undefined`: they are refused. */
  readonly keyed: KeyedSink | undefined;
  readonly catalog: TopicCatalog;
  readonly creator: TopicCreator;
  /** The client's name in Kafka, and what its consumers use; `undefined`: Kafka knows the bridge alone. */
  readonly client: { readonly principal: string; readonly account: SessionAccount } | undefined;
}

export interface KafkaAccessSource {
  /** As the bridge: for operations that need nothing of Kafka. */
  readonly own: KafkaAccess;
  /**
   * For a request of a client, until its response is over; a promise only where Kafka has to verify its credentials.
   * Errors: `unauthenticated`, `overloaded`, `kafkaUnavailable`, `internal`.
   */
  of(request: IncomingMessage, response: ServerResponse): KafkaAccess | Promise<KafkaAccess>;
}

/** The sender, with what Kafka knows of it. */
export function senderIn({ client }: KafkaAccess, sender: Sender): Sender {
  if (client === undefined) return sender;
  const { principal, account } = client;
  if (sender.via === 'client') return { via: 'client', principal: formatPrincipal(principal), account };
  return Object.assign(sender, { principal: ownerName(principal, sender.principal), account });
}

/**
 * Whom consumers belong to: the client as Kafka knows it, and as gateways do, if that differs. The comma separates them, as no
 * name has one in this writing.
 */
export function ownerName(inKafka: string, atGateways: string | undefined): string {
  const name = formatPrincipal(inKafka);
  return atGateways === undefined || atGateways === inKafka ? name : `${name},${formatPrincipal(atGateways)}`;
}
