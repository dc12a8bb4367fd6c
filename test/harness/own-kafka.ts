/** A Kafka for one test, which may kill brokers or revoke permissions, unlike the Kafka that all tests share. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type KafkaCluster, startKafka } from '@causeway/lab/stack/kafka.ts';
import type { BrokerProperties } from '@causeway/lab/stack/kafka-broker.ts';
import type { OtherRelease } from '@causeway/lab/stack/kafka-runtime.ts';
import { Reaper } from '@causeway/lab/stack/process.ts';

/** For a broker that restarts: the controller readmits it only after this time. */
export const QUICK_RESTART: BrokerProperties = { 'broker.session.timeout.ms': '1500' };

/** For brokers that do not restart: they keep their partitions however busy the machine is. */
export const PATIENT_BROKER: BrokerProperties = { 'broker.session.timeout.ms': '60000' };

/** For three brokers of which some are killed: longer than a broker stalls, and short enough for a test to wait. */
export const PATIENT_BROKERS: BrokerProperties = {
  'broker.session.timeout.ms': '6000',
  'controller.quorum.fetch.timeout.ms': '3000',
  'controller.quorum.election.timeout.ms': '1000',
};

export interface OwnKafka {
  readonly cluster: KafkaCluster;
  /** The directory of its brokers' data. */
  readonly directory: string;
  /** SIGKILL, and removes its data. */
  close(): Promise<void>;
}

/** `ports`: two for each broker, chosen by the test, which may need them before Kafka runs. */
export async function startOwnKafka(options: {
  brokerCount: 1 | 3;
  ports: readonly number[];
  /** By broker id, if brokers differ. */
  properties?: BrokerProperties | ((id: number) => BrokerProperties);
  /** Default: the lab's own. */
  release?: OtherRelease;
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
    return { cluster, directory, close };
  } catch (error) {
    await clean();
    throw error;
  }
}
