/** A Kafka of a test's own, for what cannot be done to the one that all tests share: killing it, taking rights away. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type KafkaCluster, startKafka } from '@causeway/lab/stack/kafka.ts';
import type { BrokerProperties } from '@causeway/lab/stack/kafka-broker.ts';
import { kafkaConfigs } from '@causeway/lab/stack/kafka-configs.ts';
import { Reaper } from '@causeway/lab/stack/process.ts';

/** Of one broker that is started anew: the controller waits as long until it takes it back. */
export const QUICK_RESTART: BrokerProperties = { 'broker.session.timeout.ms': '1500' };

/** Of brokers that nobody starts anew: they keep their partitions however busy the machine is. */
export const PATIENT_BROKER: BrokerProperties = { 'broker.session.timeout.ms': '60000' };

/** Of three brokers of which some are killed: longer than they stand still, and soon enough for a test to wait. */
export const PATIENT_BROKERS: BrokerProperties = {
  'broker.session.timeout.ms': '6000',
  'controller.quorum.fetch.timeout.ms': '3000',
  'controller.quorum.election.timeout.ms': '1000',
};

export interface OwnKafka {
  readonly cluster: KafkaCluster;
  /** Holds its brokers' data. */
  readonly directory: string;
  /** Runs `kafka-configs`. */
  configure(...args: string[]): Promise<void>;
  /** SIGKILL, and removes its data. */
  close(): Promise<void>;
}

/** `ports`: two a broker, chosen by the test, which may need them before Kafka is there. */
export async function startOwnKafka(options: {
  brokerCount: 1 | 3;
  ports: readonly number[];
  /** By a broker's id where brokers differ. */
  properties?: BrokerProperties | ((id: number) => BrokerProperties);
}): Promise<OwnKafka> {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-own-kafka-'));
  const reaper = new Reaper();
  const clean = async (): Promise<void> => {
    await reaper.close();
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    const cluster = await startKafka({ ...options, directory, reaper, onProgress: () => {} });
    const close = async (): Promise<void> => {
      await cluster.kill();
      await clean();
    };
    const configure = (...args: string[]): Promise<void> =>
      kafkaConfigs(args, { bootstrap: cluster.bootstrap, directory, reaper });
    return { cluster, directory, configure, close };
  } catch (error) {
    await clean();
    throw error;
  }
}
