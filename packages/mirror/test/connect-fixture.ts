/** Two Kafka clusters, east and west, with a Kafka Connect beside each one, which fills it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { resolveMirrorRuntime } from '@causeway/lab/stack/kafka-runtime.ts';
import { findFreePorts } from '@causeway/lab/stack/ports.ts';
import { Reaper } from '@causeway/lab/stack/process.ts';
import { KafkaConnect } from '../../../test/harness/kafka-connect.ts';
import { KafkaView } from '../../../test/harness/kafka-view.ts';
import { type OwnKafka, QUICK_RESTART, startOwnKafka } from '../../../test/harness/own-kafka.ts';
import { until } from '../../../test/harness/until.ts';

export type Name = 'east' | 'west';

export interface Side {
  name: Name;
  kafka: OwnKafka;
  view: KafkaView;
  /** Of the Connect cluster that fills this one. */
  connect: KafkaConnect;
}

export interface TwoSides {
  east: Side;
  west: Side;
  close(): Promise<void>;
}

/** `worker`: settings of Kafka Connect. */
export async function startTwoSides({ worker = {} }: { worker?: Record<string, string> } = {}): Promise<TwoSides> {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-connect-'));
  const reaper = new Reaper();
  const ports = await findFreePorts(6);
  const runtime = await resolveMirrorRuntime({ onProgress: () => {}, reaper });
  const side = async (name: Name, first: number): Promise<Side> => {
    const [port = 0, ...kafkaPorts] = ports.slice(first, first + 3);
    const kafka = await startOwnKafka({ brokerCount: 1, ports: kafkaPorts, properties: QUICK_RESTART });
    const { bootstrap } = kafka.cluster;
    const connect = await KafkaConnect.start({ name, bootstrap, port, directory, runtime, reaper, properties: worker });
    return { name, kafka, view: await KafkaView.connect(bootstrap), connect };
  };
  const [east, west] = await Promise.all([side('east', 0), side('west', 3)]);
  const close = async (): Promise<void> => {
    await Promise.all([east, west].map(({ connect }) => connect.kill()));
    await Promise.all([east, west].map(({ view }) => view.close()));
    await Promise.all([east, west].map(({ kafka }) => kafka.close()));
    await reaper.close();
    rmSync(directory, { recursive: true, force: true });
  };
  return { east, west, close };
}

/** Creates the connectors of one direction, stopped, as an operator does; with the settings of docs/disaster-recovery.md. */
export async function createConnectors(source: Side, target: Side): Promise<void> {
  const config = {
    'source.cluster.alias': source.name,
    'target.cluster.alias': target.name,
    'source.cluster.bootstrap.servers': source.kafka.cluster.bootstrap,
    'target.cluster.bootstrap.servers': target.kafka.cluster.bootstrap,
    'replication.policy.class': 'org.apache.kafka.connect.mirror.IdentityReplicationPolicy',
    topics: '.*',
    'topics.exclude': '.*[\\-\\.]internal,__.*',
    'source.consumer.isolation.level': 'read_committed',
    'offset-syncs.topic.location': 'target',
    'offset.lag.max': '0',
    'refresh.topics.interval.seconds': '1',
    'sync.topic.configs.enabled': 'false',
    'sync.topic.acls.enabled': 'false',
    'replication.factor': '-1',
    'offset-syncs.topic.replication.factor': '-1',
    'checkpoints.topic.replication.factor': '-1',
    'emit.checkpoints.interval.seconds': '1',
    'sync.group.offsets.enabled': 'true',
    'sync.group.offsets.interval.seconds': '1',
    'refresh.groups.interval.seconds': '1',
  };
  for (const kind of ['Source', 'Checkpoint']) {
    const created = await target.connect.request('POST', '/connectors', {
      name: `${source.name} to ${target.name}: ${kind}`,
      initial_state: 'STOPPED',
      config: { ...config, 'connector.class': `org.apache.kafka.connect.mirror.Mirror${kind}Connector` },
    });
    if (created.status !== 201) throw new Error(JSON.stringify(created.body));
  }
}

/** The end of partition 0; 0 without such a topic. */
export async function endOf({ view }: Side, topic: string): Promise<number> {
  if (!(await view.admin.listTopics()).includes(topic)) return 0;
  const [ends] = await view.admin.fetchTopicOffsets(topic);
  return Number(ends?.high);
}

export async function valuesOf(side: Side, topic: string): Promise<string[]> {
  const records = await side.view.read(topic, await endOf(side, topic));
  return records.map(({ value }) => String(value));
}

export async function write({ view }: Side, topic: string, values: readonly string[]): Promise<void> {
  await view.write(
    topic,
    values.map((value) => ({ value, partition: 0 })),
  );
}

export async function untilCount(side: Side, topic: string, count: number): Promise<void> {
  await until(`${side.name} has ${count} records in ${topic}`, async () => (await endOf(side, topic)) >= count);
}
