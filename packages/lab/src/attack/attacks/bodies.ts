/** Bodies that cost much more to read than to send. */
import { gzipSync } from 'node:zlib';
import { RECORDS } from '@causeway/protocol/content-types.ts';
import type { Attack, Scene } from '../attack.ts';
import type { Reply } from '../attack-client.ts';
import { AttackConsumer, describe } from '../attack-consumer.ts';
import { Findings, pause, times, untilOver } from '../pace.ts';

const MIB = 2 ** 20;
/** The most bytes of an error list. */
const MAX_ERROR_BYTES = 64 * 1_024;

interface Operation {
  path: string;
  contentType: string | undefined;
  /** The list that a client fills. */
  list: 'records' | 'offsets' | 'partitions' | 'topics' | undefined;
}

/** Every operation with a body; the consumer exists. */
function operations({ topic }: Scene, consumer: AttackConsumer): Operation[] {
  const v2 = { contentType: undefined };
  return [
    { path: `/topics/${topic}`, contentType: RECORDS.json, list: 'records' },
    { path: `/topics/${topic}`, contentType: RECORDS.binary, list: 'records' },
    { path: `/topics/${topic}/partitions/0`, contentType: RECORDS.json, list: 'records' },
    { path: '/admin/topics', ...v2, list: undefined },
    { path: `/consumers/${consumer.group}`, ...v2, list: undefined },
    { path: `${consumer.path}/subscription`, ...v2, list: 'topics' },
    { path: `${consumer.path}/assignments`, ...v2, list: 'partitions' },
    { path: `${consumer.path}/offsets`, ...v2, list: 'offsets' },
    { path: `${consumer.path}/positions`, ...v2, list: 'offsets' },
    { path: `${consumer.path}/positions/beginning`, ...v2, list: 'partitions' },
  ];
}

interface Shape {
  name: string;
  make(operation: Operation): string;
}

function entries(count: number, entry: (index: number) => string): string {
  return times(count, entry).join(',');
}

function inList(list: Operation['list'], text: string): string {
  return `{"${list ?? 'records'}":[${text}]}`;
}

/** At most a few megabytes each: a client sends them in a fraction of a second. */
const SHAPES: readonly Shape[] = [
  {
    name: 'numbers of 999 digits',
    make: ({ list }) =>
      inList(
        list,
        entries(4_000, () => '9'.repeat(999)),
      ),
  },
  {
    name: 'numbers beyond any double',
    make: ({ list }) =>
      inList(
        list,
        entries(600_000, () => '1e999'),
      ),
  },
  {
    name: 'wrong entries',
    make: ({ list }) =>
      inList(
        list,
        entries(60_000, () => '1'),
      ),
  },
  {
    name: 'empty entries',
    make: ({ list }) =>
      inList(
        list,
        entries(200_000, () => '{}'),
      ),
  },
  { name: 'unknown keys', make: () => `{${entries(300_000, (index) => `"k${index}":0`)}}` },
  {
    name: 'unknown keys of an entry',
    make: ({ list }) => inList(list, `{${entries(200_000, (index) => `"k${index}":0`)}}`),
  },
  { name: 'nesting', make: ({ list }) => inList(list, `${'['.repeat(500_000)}${']'.repeat(500_000)}`) },
  { name: 'an open string', make: () => `{"records":"${'\\u0041'.repeat(500_000)}` },
  {
    name: 'many entries',
    make: ({ list }) => {
      const entry = (index: number) =>
        ({
          records: `{"value":{"a":[${index},1.50,-0.0]}}`,
          offsets: `{"topic":"t${index}","partition":${index},"offset":${index}}`,
          partitions: `{"topic":"t${index}","partition":${index}}`,
          topics: `"t${index}"`,
          none: '0',
        })[list ?? 'none'];
      return inList(list, entries(100_000, entry));
    },
  },
];

/** Refused or served, but with a response. */
function isAnswered({ status }: Reply): boolean {
  return (status >= 200 && status < 300) || (status >= 400 && status < 500) || status === 503;
}

export const BODIES: readonly Attack[] = [
  {
    name: 'long-key',
    title: 'records with a key of 700 KB',
    claim: 'each is stored or refused, and other requests are served',
    isShort: true,
    async play(scene) {
      const found = new Findings();
      const path = `/topics/${scene.topic}`;
      await untilOver(2, scene.signal, async (loop, round) => {
        const key = String.fromCharCode(97 + ((loop + round) % 26)).repeat(700_000);
        const body = { records: [{ key, value: { round } }] };
        const reply = await scene.client.ask({ path, headers: { 'content-type': RECORDS.json }, body });
        found.expect(isAnswered(reply), `a long key: status ${reply.status}`, describe(reply));
        await pause(200, scene.signal);
      });
      const name = 'n'.repeat(100_000);
      const reply = await scene.client.ask({ path: `/consumers/attack-${scene.id}`, body: { name } });
      const isRefused = reply.status >= 400 && reply.status < 500;
      found.expect(isRefused, `a name of 100,000 characters: status ${reply.status}`, describe(reply));
      return found.list();
    },
  },
  {
    name: 'many-topics',
    title: 'a subscription to 300,000 topics, and lists as long in commits, seeks and assignments',
    claim: 'each is refused with 413 or 422',
    isShort: true,
    async play(scene) {
      const found = new Findings();
      const consumer = await AttackConsumer.create(scene, 'collector');
      const partitions = times(200_000, (index) => ({ topic: `t${index}`, partition: index }));
      const bodies = {
        '/subscription': JSON.stringify({ topics: times(300_000, (index) => `t${index}`) }),
        '/assignments': JSON.stringify({ partitions }),
        '/positions': JSON.stringify({ offsets: partitions.map((entry) => ({ ...entry, offset: 1 })) }),
        '/offsets': JSON.stringify({ offsets: partitions.map((entry) => ({ ...entry, offset: 1 })) }),
      };
      do {
        for (const [path, body] of Object.entries(bodies)) {
          const reply = await consumer.post(path, body);
          found.expect([413, 422].includes(reply.status), `${path}: status ${reply.status}`, describe(reply));
        }
        await pause(500, scene.signal);
      } while (!scene.signal.aborted);
      await consumer.delete();
      return found.list();
    },
  },
  {
    name: 'error-lists',
    title: 'bodies of 120 KB in which every entry is wrong',
    claim: `each is refused with 4xx and at most ${MAX_ERROR_BYTES / 1_024} KiB`,
    isShort: true,
    async play(scene) {
      const found = new Findings();
      const consumer = await AttackConsumer.create(scene, 'wrong');
      await untilOver(1, scene.signal, async () => {
        for (const { path, contentType, list } of operations(scene, consumer)) {
          const body = inList(
            list,
            entries(60_000, () => '1'),
          );
          const headers = contentType === undefined ? {} : { 'content-type': contentType };
          const reply = await scene.client.ask({ path, headers, body });
          const isRefused = reply.status >= 400 && reply.status < 500;
          found.expect(isRefused, `${path}: status ${reply.status}`, describe(reply));
          found.expect(reply.byteCount <= MAX_ERROR_BYTES, `${path}: ${reply.byteCount} bytes of errors`);
          if (scene.signal.aborted) return;
        }
      });
      return found.list();
    },
  },
  {
    name: 'worst-bodies',
    title: 'for each operation, bodies of each shape that is hard to read',
    claim: 'each gets a response of limited size',
    minDurationMs: 30_000,
    async play(scene) {
      const found = new Findings();
      const consumer = await AttackConsumer.create(scene, 'worst');
      for (const shape of SHAPES) {
        for (const operation of operations(scene, consumer)) {
          if (scene.signal.aborted) return found.list();
          const { path, contentType } = operation;
          const headers = contentType === undefined ? {} : { 'content-type': contentType };
          const reply = await scene.client.ask({ path, headers, body: shape.make(operation) });
          const what = `${shape.name} to ${path.replace(/.*instances\/[^/]*/, '…')}`;
          found.expect(isAnswered(reply), `${what}: status ${reply.status}`, describe(reply));
          const isShort = reply.status === 200 || reply.byteCount <= MAX_ERROR_BYTES;
          found.expect(isShort, `${what}: ${reply.byteCount} bytes of errors`);
        }
      }
      return found.list();
    },
  },
  {
    name: 'zip-bombs',
    title: 'bodies of 100 KB that are 100 MB when decoded',
    claim: 'each is refused with 4xx or 503',
    async play(scene) {
      const found = new Findings();
      const bomb = gzipSync(Buffer.alloc(100 * MIB, 0x20), { level: 9 });
      await untilOver(4, scene.signal, async () => {
        const reply = await scene.client.ask({
          path: `/topics/${scene.topic}`,
          headers: { 'content-type': RECORDS.json, 'content-encoding': 'gzip' },
          body: bomb,
        });
        const isRefused = (reply.status >= 400 && reply.status < 500) || reply.status === 503;
        found.expect(isRefused, `a zip bomb: status ${reply.status}`, describe(reply));
        await pause(250, scene.signal);
      });
      return found.list();
    },
  },
];
