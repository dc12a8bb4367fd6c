/** `npm run clusters` as a process, over a real gateway. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import {
  CLUSTERS_PATH,
  type ClusterStatus,
  type LossReport,
  PREPARE_PATH,
  REJOIN_PATH,
  REPLICATION_ENDED_PATH,
  TAIL_PATH,
  type TailRecord,
  type TailRequest,
} from '@causeway/protocol/clusters.ts';
import { afterAll, expect, test } from 'vitest';
import { ask } from '../../../../test/harness/admin.ts';
import { TEST_TOKEN } from '../../../../test/harness/gateway.ts';
import { until } from '../../../../test/harness/until.ts';
import { type ClusterBridge, eastAndWest } from '../../../gateway/test/clusters-fixture.ts';
import { readArguments } from './arguments.ts';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'causeway-clusters-'));
afterAll(() => rmSync(directory, { recursive: true }));

interface Ran {
  code: number | string;
  stdout: string;
  stderr: string;
}

function run(...args: string[]): Promise<Ran> {
  return new Promise((resolve) => {
    const env = { PATH: process.env['PATH'], INIT_CWD: directory, CAUSEWAY_ADMIN_TOKEN: TEST_TOKEN };
    execFile(process.execPath, [MAIN, ...args], { env, timeout: 60_000 }, (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, stdout, stderr }),
    );
  });
}

const PROMOTION = { number: 2, cluster: 'west' };
const PREPARED = {
  promotion: PROMOTION,
  source: 'west',
  target: 'east',
  positions: [{ topic: 't', partition: 2, offset: 6 }],
};
const REPLICATION = {
  from: 'west',
  to: 'east',
  problem: null,
  measuredAgoMs: 10,
  records: 0,
  seconds: 0,
  topics: [],
};
const REPORT: LossReport = {
  promotion: PROMOTION,
  lost: 'east',
  at: '2026-01-01T12:00:00.000Z',
  endsAgeMs: 300,
  isFinal: true,
  ranges: [
    { topic: 't', partition: 0, from: 5, to: 8, records: 3 },
    { topic: 'u', partition: 1, from: 0, to: 1, records: 1 },
  ],
};

function record(offset: number): TailRecord {
  return { offset, timestamp: 1, key: null, value: Buffer.from(`value ${offset}`).toString('base64'), headers: [] };
}

/** East was lost with 4 records, and is back. It sends two records a response. */
async function lostEast(): Promise<{ url: string; east: ClusterBridge; requests: TailRequest[] }> {
  const { east, west, gw } = await eastAndWest({ admin: { port: 0, token: TEST_TOKEN } });
  const requests: TailRequest[] = [];
  let isRejoined = false;
  let isEnded = false;
  const status = (cluster: string): ClusterStatus => ({
    cluster,
    mode: cluster === 'east' ? 'fenced' : 'active',
    promotion: PROMOTION,
    promoted: null,
    isReplicationEnded: isEnded,
    replication: cluster === 'east' && isRejoined ? REPLICATION : null,
    reports: [REPORT],
  });
  for (const bridge of [east, west]) {
    const others = bridge.handle;
    bridge.handle = (request, response) => {
      const answer = (body: object): void => {
        response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      };
      if (request.url === CLUSTERS_PATH) answer(status(bridge === east ? 'east' : 'west'));
      else if (request.url === REJOIN_PATH) {
        isRejoined = true;
        answer({ promotion: PROMOTION, report: REPORT });
      } else if (request.url === REPLICATION_ENDED_PATH) {
        isEnded = true;
        answer({ promotion: PROMOTION });
      } else if (request.url === PREPARE_PATH) answer(PREPARED);
      else if (request.url === TAIL_PATH) {
        const range = JSON.parse(request.body) as TailRequest;
        requests.push(range);
        const end = Math.min(range.to, range.from + 2);
        const records = Array.from({ length: end - range.from }, (_, index) => record(range.from + index));
        answer({ records, next: end === range.to ? null : end });
      } else others(request, response);
    };
  }
  east.become('fenced', '2;west');
  west.become('active', '2;west');
  await until('the gateway follows', async () => {
    const { body } = await ask(`${gw.adminUrl}/api/clusters`);
    const { active, members } = body as { active: string; members: { mode: string; report: object | null }[] };
    return active === 'west' && members[0]?.mode === 'fenced' && members.every(({ report }) => report !== null);
  });
  return { url: gw.adminUrl, east, requests };
}

test('a cluster that was lost stands by again once the records that it alone has are saved', async () => {
  const { url, requests } = await lostEast();
  const listed = await run('--url', url);
  expect(listed).toMatchObject({ code: 0, stderr: '' });
  expect(listed.stdout).toContain('cluster     west ● active');
  expect(listed.stdout).toContain('npm run clusters -- rejoin east');

  const unsaved = await run('rejoin', 'east', '--url', url);
  expect(unsaved).toMatchObject({ code: 1, stdout: '' });
  expect(unsaved.stderr).toContain('east alone has 4 records: save them with --save FILE, or give --discard');

  const rejoined = await run('rejoin', 'east', '--save', 'tail.ndjson', '--url', url);
  expect(rejoined).toMatchObject({ code: 0, stderr: '' });
  const file = join(directory, 'tail.ndjson');
  expect(rejoined.stdout).toContain(`4 records that east alone has are in ${file}.`);
  expect(rejoined.stdout).toContain('east stands by; it alone has 4 records.');
  expect(rejoined.stdout).toContain('It has everything that west has: the replication runs.');
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
    ...[5, 6, 7].map((offset) => ({ topic: 't', partition: 0, ...record(offset) })),
    { topic: 'u', partition: 1, ...record(0) },
  ]);
  expect(requests.map(({ topic, from, to }) => `${topic} ${from} ${to}`)).toEqual(['t 5 8', 't 7 8', 'u 0 1']);

  // A file is never overwritten.
  const again = await run('save', 'east', '--save', 'tail.ndjson', '--url', url);
  expect(again).toMatchObject({ code: 1, stdout: '' });
  expect(again.stderr).toContain('EEXIST');
});

test('where MirrorMaker begins is written, or printed as Kafka Connect takes it', async () => {
  const { url } = await lostEast();
  const prepared = await run('prepare', 'east', '--url', url);
  expect(prepared).toMatchObject({ code: 0, stderr: '' });
  expect(prepared.stdout).toContain('MirrorMaker from west to east begins behind what east has (1 positions are set).');
  const { code, stdout } = await run('prepare', 'east', '--json', '--url', url);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual({
    offsets: [{ partition: { cluster: 'west', partition: 2, topic: 't' }, offset: { offset: 6 } }],
  });
});

test('an operator says that MirrorMaker has stopped, for a program that does not run', async () => {
  const { url } = await lostEast();
  const isEnded = async () => {
    const { body } = await ask(`${url}/api/clusters`);
    return (body as { isReplicationEnded: boolean | null }).isReplicationEnded;
  };
  await until('the gateway knows that it has not', async () => (await isEnded()) === false);
  expect(await run('replication-ended', 'west', '--url', url)).toEqual({
    code: 0,
    stdout: 'Replication from west may begin.\n',
    stderr: '',
  });
  await until('the gateway knows', async () => (await isEnded()) === true);
});

test('what a gateway refuses is said in its words', async () => {
  const { url } = await lostEast();
  const unknown = await run('promote', 'north', '--url', url);
  expect(unknown).toMatchObject({
    code: 1,
    stdout: '',
    stderr: 'There is no Kafka cluster north (known: east, west).\n',
  });
  const stranger = await run('promote', 'west', '--url', url, '--token', 'wrong');
  expect(stranger).toMatchObject({ code: 1, stdout: '' });
  expect(stranger.stderr).toContain(`Give ${url} a token: --token, or CAUSEWAY_ADMIN_TOKEN.`);
  const silent = await run('list', '--url', 'http://127.0.0.1:1');
  expect(silent).toMatchObject({ code: 1, stdout: '' });
  expect(silent.stderr).toContain('No gateway responds at http://127.0.0.1:1');
});

test.each([
  [['demote', 'east'], 'demote is not one of list, promote, rejoin, save, prepare, replication-ended'],
  [['list', 'east'], 'list shows all clusters, not east alone'],
  [['promote'], 'promote needs the name of a cluster'],
  [['promote', 'east', 'west'], 'west is one argument too many'],
  [['rejoin', 'east', '--force'], '--force is for promote'],
  [['promote', 'east', '--discard'], '--discard is for rejoin'],
  [['promote', 'east', '--peer-gone'], '--peer-gone is for rejoin'],
  [['rejoin', 'east', '--peer-gone', '--save', 'f'], '--peer-gone does without the report'],
  [['rejoin', 'east', '--discard', '--save', 'f'], '--save and --discard exclude each other'],
  [['promote', 'east', '--save', 'f'], '--save is for rejoin and save'],
  [['save', 'east'], 'save needs --save FILE'],
  [['replication-ended'], 'replication-ended needs the name of a cluster'],
  [['prepare'], 'prepare needs the name of a cluster'],
  [['rejoin', 'east', '--json'], '--json is for prepare'],
  [['--url', 'east'], '--url east is not a URL such as http://127.0.0.1:8081'],
])('%j is refused', (args, message) => {
  expect(() => readArguments(args, { env: {}, directories: [] })).toThrow(message);
});
