/** A bridge's connections to Kafka, for tests of the parts that use them. */
import { Cluster } from '@causeway/bridge/kafka/client/cluster.ts';
import { afterAll, inject } from 'vitest';

/** `bootstrap` as `host:port,…`. The caller closes it. */
export function testCluster(bootstrap: string): Cluster {
  return new Cluster({
    bootstrapServers: bootstrap.split(','),
    clientId: 'test',
    connectTimeoutMs: 10_000,
    requestTimeoutMs: 20_000,
    metadataMaxAgeMs: 30_000,
  });
}

/** A cluster for the tests of one file, over the run's Kafka. Closed after them. */
export function clusterOfFile(): Cluster {
  const cluster = testCluster(inject('kafkaBootstrap'));
  afterAll(() => cluster.close());
  return cluster;
}
