/** Requests that use Kafka as their clients (`kafka.identity: client`): puts together what each account has over its connections. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { BridgeConfig } from './config.ts';
import type { SessionAccount } from './consumers/session-account.ts';
import { TopicListing } from './consumers/topic-listing.ts';
import type { KafkaAccess, KafkaAccessSource } from './http/kafka-access.ts';
import type { AccountBase } from './kafka/accounts/account.ts';
import { Accounts, type Entry } from './kafka/accounts/accounts.ts';
import { Admin } from './kafka/client/admin.ts';
import { Cluster } from './kafka/client/cluster.ts';
import type { KafkaSecurity } from './kafka/client/security.ts';
import { ProduceClient } from './kafka/produce/produce.ts';
import { ProducerId } from './kafka/produce/producer-id.ts';
import { Batcher } from './producer/batcher.ts';
import type { ProducerTotals } from './producer/producer-totals.ts';

/** The producer of a bridge, or of one account. */
export interface Producer {
  batcher: Batcher;
  client: ProduceClient;
}

/** `onForbidden`: Kafka refuses the producer an id, and so idempotence. */
export function createProducer(
  cluster: Cluster,
  config: BridgeConfig,
  { totals, onForbidden }: { totals: ProducerTotals; onForbidden: (reason: string) => void },
): Producer {
  const { producer, kafka } = config;
  const client = new ProduceClient(cluster, {
    acks: producer.acks,
    timeoutMs: kafka.requestTimeoutMs,
    compression: producer.compression,
  });
  const isIdempotent = producer.isIdempotent && producer.acks === 'all';
  const producerId = isIdempotent ? new ProducerId(cluster, onForbidden) : undefined;
  return { client, batcher: new Batcher(cluster, client, { ...producer, producerId, totals }) };
}

interface Work {
  producer: Producer;
  access: KafkaAccess;
}

export interface ClientAccessOptions {
  config: BridgeConfig;
  /** The bridge's own. */
  own: KafkaAccess;
  security: KafkaSecurity;
  /** The bridge's own: it counts the requests of all accounts, too. */
  cluster: Cluster;
  totals: ProducerTotals;
}

export class ClientAccess implements KafkaAccessSource {
  readonly own: KafkaAccess;
  readonly accounts: Accounts<Work>;

  constructor({ config, own, security, cluster, totals }: ClientAccessOptions) {
    const { kafka } = config;
    this.own = own;
    this.accounts = new Accounts<Work>({
      clients: kafka.clients,
      requestTimeoutMs: kafka.requestTimeoutMs,
      createCluster: (identity) =>
        new Cluster({
          ...cluster.options,
          security: security.as(identity.sasl),
          connectsAs: identity,
          traffic: cluster.traffic,
        }),
      createWork: (account) => createWork(account, config, totals),
      isBusy: ({ producer }) => producer.batcher.queuedBytes > 0,
      closeWork: async ({ producer }) => {
        await producer.batcher.close();
        await producer.client.close();
      },
    });
  }

  of(request: IncomingMessage, response: ServerResponse): KafkaAccess | Promise<KafkaAccess> {
    const entering = this.accounts.enter(request.headers.authorization);
    return entering instanceof Promise ? entering.then((entry) => useIn(response, entry)) : useIn(response, entering);
  }
}

/** Until the response is over. */
function useIn(response: ServerResponse, { account, leave }: Entry<Work>): KafkaAccess {
  if (response.closed) leave();
  else response.once('close', leave);
  return account.work.access;
}

function createWork({ cluster, principal, retain }: AccountBase, config: BridgeConfig, totals: ProducerTotals): Work {
  const producer = createProducer(cluster, config, { totals, onForbidden: () => {} });
  const { topicRefreshMs: refreshMs } = config.consumers;
  const topicListing = new TopicListing(cluster, { refreshMs, requestTimeoutMs: config.kafka.requestTimeoutMs });
  const account: SessionAccount = { cluster, topicListing, retain };
  const admin = new Admin(cluster);
  return {
    producer,
    access: {
      sink: producer.batcher,
      keyed: undefined,
      catalog: admin,
      creator: admin,
      client: { principal, account },
    },
  };
}
