/** Starts the Kafka that all tests of a run share, and stops it after the run. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { makeClassData } from '@causeway/lab/stack/class-data.ts';
import { startKafka } from '@causeway/lab/stack/kafka.ts';
import { resolveKafkaRuntime } from '@causeway/lab/stack/kafka-runtime.ts';
import { findFreePorts } from '@causeway/lab/stack/ports.ts';
import { Reaper } from '@causeway/lab/stack/process.ts';
import type { TestProject } from 'vitest/node';
import { PATIENT_BROKER } from './own-kafka.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** `host:port` of a real Apache Kafka. */
    kafkaBootstrap: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const existing = process.env['KAFKA_BOOTSTRAP_SERVERS'];
  if (existing !== undefined && existing !== '') {
    project.provide('kafkaBootstrap', existing);
    return async () => {};
  }
  const directory = mkdtempSync(join(tmpdir(), 'causeway-test-kafka-'));
  const reaper = new Reaper();
  const onProgress = (text: string): void => void process.stderr.write(`${text}\n`);
  const runtime = await resolveKafkaRuntime({ onProgress, reaper });
  // Downloaded once, for one file, whose hooks have a limit.
  const otherRelease =
    runtime.kind === 'java' ? resolveKafkaRuntime({ onProgress, reaper, release: '3.9' }) : undefined;
  // All brokers of the run start from it.
  const classData = makeClassData(runtime, reaper);
  const kafka = await startKafka({
    brokerCount: 1,
    ports: await findFreePorts(2),
    directory,
    reaper,
    properties: {
      ...PATIENT_BROKER,
      // Some tests produce records with a timestamp of 2017. By default, Kafka deletes old records 30 s after its start.
      'log.initial.task.delay.ms': '86400000',
      // A test waits for compaction, which begins within this time; Kafka's default is 15 s.
      'log.cleaner.backoff.ms': '1000',
      // A test waits until Kafka aborts a transaction that takes too long; its default is 10 s.
      'transaction.abort.timed.out.transaction.cleanup.interval.ms': '500',
    },
    onProgress,
  });
  await Promise.all([classData, otherRelease]);
  project.provide('kafkaBootstrap', kafka.bootstrap);
  return async () => {
    await Promise.all(kafka.brokers.map((broker) => broker.process.kill()));
    await reaper.close();
    rmSync(directory, { recursive: true, force: true });
  };
}
