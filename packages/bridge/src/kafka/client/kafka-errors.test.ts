import { execFileSync } from 'node:child_process';
import { DOCKER_IMAGE } from '@causeway/lab/stack/kafka-broker.ts';
import { javaArguments, resolveKafkaRuntime } from '@causeway/lab/stack/kafka-runtime.ts';
import { Reaper } from '@causeway/lab/stack/process.ts';
import { protocolErrorsCodesById } from '@platformatic/kafka';
import { expect, test } from 'vitest';
import {
  ERROR_IDS,
  type ErrorId,
  errorIdOf,
  errorText,
  isForbidden,
  isRetriable,
  javaClass,
  kafkaError,
} from './kafka-errors.ts';

interface ErrorOfKafka {
  code: number;
  isRetriable: boolean;
  text: string;
}

/** `Errors.java` prints the table of Kafka's documentation. */
async function errorsOfKafka(): Promise<Map<string, ErrorOfKafka>> {
  const reaper = new Reaper();
  try {
    const runtime = await resolveKafkaRuntime({ onProgress: () => {}, reaper });
    const [command, ...args] =
      runtime.kind === 'java'
        ? [runtime.command, ...javaArguments(runtime)]
        : [runtime.command, 'run', '--rm', '--entrypoint', 'java', DOCKER_IMAGE, '-cp', '/opt/kafka/libs/*'];
    const html = execFileSync(command, [...args, 'org.apache.kafka.common.protocol.Errors'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const rows = html.matchAll(/<tr><td>(\w+)<\/td><td>(-?\d+)<\/td><td>(True|False)<\/td><td>(.*?)<\/td><\/tr>/gs);
    return new Map(
      [...rows].map(([, id = '', code, retriable, text = '']) => [
        id,
        { code: Number(code), isRetriable: retriable === 'True', text },
      ]),
    );
  } finally {
    await reaper.close();
  }
}

test("the table holds Kafka's errors: every code, its text, and whether Kafka calls it retriable", async () => {
  const ofKafka = await errorsOfKafka();
  ofKafka.delete('NONE');
  const ours = ERROR_IDS.map((id): [string, ErrorOfKafka] => [
    id,
    { code: kafkaError(id).code, isRetriable: isRetriable(id), text: errorText(id) },
  ]);
  expect(ofKafka.size).toBeGreaterThan(130);
  // The same batch would fail again: the broker found a record in it invalid, which it calls corrupt.
  expect(ofKafka.get('CORRUPT_MESSAGE')).toMatchObject({ isRetriable: true });
  Object.assign(ofKafka.get('CORRUPT_MESSAGE') ?? {}, { isRetriable: false });
  expect(ours).toEqual([...ofKafka]);
});

test('the table has every error that the client library can report, under the same name', () => {
  const { 0: _none, ...ofLibrary } = protocolErrorsCodesById as Record<number, string>;
  const found = Object.fromEntries(Object.keys(ofLibrary).map((code) => [code, errorIdOf(Number(code))]));
  expect(found).toEqual(ofLibrary);
});

test('code 0 is no error, and a code of a later Kafka counts as an unknown server error', () => {
  expect(errorIdOf(0)).toBeUndefined();
  expect(errorIdOf(30_000)).toBe('UNKNOWN_SERVER_ERROR');
});

test.each<[ErrorId, string]>([
  ['UNKNOWN_TOPIC_OR_PARTITION', 'org.apache.kafka.common.errors.UnknownTopicOrPartitionException'],
  ['INVALID_TOPIC_EXCEPTION', 'org.apache.kafka.common.errors.InvalidTopicException'],
  ['MESSAGE_TOO_LARGE', 'org.apache.kafka.common.errors.RecordTooLargeException'],
  ['OFFSET_METADATA_TOO_LARGE', 'org.apache.kafka.common.errors.OffsetMetadataTooLarge'],
  ['INVALID_RECORD', 'org.apache.kafka.common.InvalidRecordException'],
  ['OUT_OF_ORDER_SEQUENCE_NUMBER', 'org.apache.kafka.common.errors.OutOfOrderSequenceException'],
])('%s is %s in Java', (id, name) => {
  expect(javaClass(id)).toBe(name);
});

test('a missing right maps to 403, and no other error does', () => {
  expect(ERROR_IDS.filter(isForbidden)).toEqual(ERROR_IDS.filter((id) => id.endsWith('_AUTHORIZATION_FAILED')));
});
