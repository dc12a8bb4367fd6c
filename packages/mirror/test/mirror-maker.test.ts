/** `npm run mirror-maker` as a process over a real gateway, with a command in place of MirrorMaker that says what it was started for. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import type { KafkaClusters } from '@causeway/protocol/admin/model.ts';
import {
  CLUSTER_HEADER,
  CLUSTERS_PATH,
  PREPARE_PATH,
  PROMOTION_HEADER,
  parseClusterMode,
  parsePromotion,
  REPLICATION_ENDED_PATH,
} from '@causeway/protocol/clusters.ts';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { ask } from '../../../test/harness/admin.ts';
import { TEST_TOKEN } from '../../../test/harness/gateway.ts';
import { unique } from '../../../test/harness/kafka-view.ts';
import { until } from '../../../test/harness/until.ts';
import { type ClusterBridge, eastAndWest } from '../../gateway/test/clusters-fixture.ts';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'causeway-mirror-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** Stands for MirrorMaker: notes its start, and a child that a script would have. */
const COMMAND = join(directory, 'copy.js');
writeFileSync(
  COMMAND,
  `const { appendFileSync } = require('node:fs');
const { spawn } = require('node:child_process');
const [file, source, target] = process.argv.slice(2);
const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { stdio: 'ignore' });
appendFileSync(file, JSON.stringify({ source, target, pid: process.pid, child: child.pid }) + '\\n');
process.on('SIGTERM', () => source === 'hangs' || process.exit(0));
setInterval(() => {}, 1e6);
`,
);

interface Start {
  source: string;
  target: string;
  pid: number;
  child: number;
}

/** The program, which fills west. */
class Program {
  readonly #file = join(directory, unique('starts'));
  readonly #child: ChildProcess;
  readonly exited: Promise<unknown[]>;
  #output = '';

  constructor(
    urls: readonly string[],
    commandOf = (file: string): string[] => [process.execPath, COMMAND, file, '{source}', '{target}'],
  ) {
    const command = commandOf(this.#file);
    writeFileSync(this.#file, '');
    const args = [
      '--target',
      'west',
      '--interval-ms',
      '50',
      ...urls.flatMap((url) => ['--url', url]),
      '--',
      ...command,
    ];
    this.#child = spawn(process.execPath, [MAIN, ...args], {
      env: { PATH: process.env['PATH'], CAUSEWAY_ADMIN_TOKEN: TEST_TOKEN, INIT_CWD: directory },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#child.stdout?.on('data', (chunk) => {
      this.#output += String(chunk);
    });
    this.exited = once(this.#child, 'exit');
    onTestFinished(async () => {
      this.#child.kill('SIGTERM');
      await this.exited;
    });
  }

  get starts(): Start[] {
    return readFileSync(this.#file, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Start);
  }

  get log(): { msg: string; reason?: string; how?: string; pid?: number }[] {
    return this.#output
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as { msg: string });
  }

  async nthStart(n: number): Promise<Start> {
    await until(`start ${n}`, () => this.starts.length >= n);
    return this.starts[n - 1] as Start;
  }

  async untilLogged(part: object): Promise<void> {
    await until(`a line with ${JSON.stringify(part)}`, () => {
      try {
        expect(this.log).toContainEqual(expect.objectContaining(part));
        return true;
      } catch {
        return false;
      }
    });
  }

  stop(signal: NodeJS.Signals = 'SIGTERM'): void {
    this.#child.kill(signal);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function untilGone({ pid, child }: Start): Promise<void> {
  await until('it is gone, with its child', () => !isAlive(pid) && !isAlive(child));
}

/** A bridge of the cluster says whether MirrorMaker has stopped filling it, and takes note of it. */
function ending(
  bridge: ClusterBridge,
  isEnded: boolean,
): { isEnded: boolean; notes: unknown[]; refusal: string | undefined } {
  const state = { isEnded, notes: [] as unknown[], refusal: undefined as string | undefined };
  const others = bridge.handle;
  bridge.handle = (request, response) => {
    const { [CLUSTER_HEADER]: mode, [PROMOTION_HEADER]: highest } = bridge.clusterHeaders ?? {};
    const promotion = parsePromotion(highest);
    const answer = (body: object, status = 200): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    if (request.url === CLUSTERS_PATH) {
      const { isEnded: isReplicationEnded } = state;
      const rest = { promoted: null, isReplicationEnded, replication: null, reports: [] };
      answer({ ...parseClusterMode(mode), promotion, ...rest });
    } else if (request.url === REPLICATION_ENDED_PATH) {
      state.notes.push(JSON.parse(request.body));
      state.isEnded = state.refusal === undefined;
      answer(state.isEnded ? { promotion } : { error_code: 409, message: state.refusal }, state.isEnded ? 200 : 409);
    } else others(request, response);
  };
  return state;
}

/** West prepares, or refuses to. */
function preparing(west: ClusterBridge): { requests: number; refusal: string | undefined; source: string } {
  const state = { requests: 0, refusal: undefined as string | undefined, source: 'east' };
  const others = west.handle;
  west.handle = (request, response) => {
    if (request.url !== PREPARE_PATH) {
      others(request, response);
      return;
    }
    state.requests += 1;
    const { refusal, source } = state;
    const promotion = { number: 1, cluster: source };
    const body =
      refusal === undefined
        ? { promotion, source, target: 'west', positions: [] }
        : { error_code: 409, message: refusal };
    response
      .writeHead(refusal === undefined ? 200 : 409, { 'content-type': 'application/json' })
      .end(JSON.stringify(body));
  };
  return state;
}

test('MirrorMaker runs while another cluster is active and this one stands by, and begins where a bridge prepared it', async () => {
  const { east, west, gw } = await eastAndWest({ admin: { port: 0, token: TEST_TOKEN } });
  const bridge = preparing(west);
  const inEast = ending(east, true);
  const inWest = ending(west, false);
  bridge.refusal = 'its log cannot be read';
  const program = new Program([gw.adminUrl]);
  await program.untilLogged({ msg: 'failed, and tried again', reason: bridge.refusal });
  await until('it asks again', () => bridge.requests > 2);
  expect(program.starts).toEqual([]);
  bridge.refusal = undefined;
  const first = await program.nthStart(1);
  expect(first).toMatchObject({ source: 'east', target: 'west' });
  await program.untilLogged({ msg: 'MirrorMaker started', source: 'east', pid: first.pid });

  // A promotion stops it, whatever becomes of east.
  east.become('standby', '2;west');
  west.become('active', '2;west');
  await untilGone(first);
  await program.untilLogged({ msg: 'MirrorMaker does not run', reason: 'west is active' });
  await until('it says so in the log of west', () => inWest.isEnded);
  expect(inWest.notes[0]).toEqual({ promotion: { number: 2, cluster: 'west' }, by: expect.any(String) });
  inEast.isEnded = false;
  west.become('fenced', '3;east');
  east.become('active', '3;east');
  await program.untilLogged({ reason: 'west is fenced until an operator lets it rejoin' });
  expect(program.starts).toHaveLength(1);

  west.become('standby', '3;east');
  // East was filled from here, and the program beside it is late.
  await program.untilLogged({ reason: expect.stringContaining('MirrorMaker may still fill east') });
  expect(program.starts).toHaveLength(1);
  inEast.isEnded = true;
  const second = await program.nthStart(2);
  // One that dies is started again.
  process.kill(second.pid, 'SIGKILL');
  const third = await program.nthStart(3);
  await program.untilLogged({ msg: 'MirrorMaker ended', how: 'signal SIGKILL', pauseMs: 1000 });
  await until('its child is gone, too', () => !isAlive(second.child));

  program.stop();
  expect(await program.exited).toEqual([0, null]);
  await untilGone(third);
});

test('one that does not stop is killed soon, since it would copy the rest late', async () => {
  const { east, west, gw } = await eastAndWest({ admin: { port: 0, token: TEST_TOKEN } });
  preparing(west);
  ending(east, true);
  const program = new Program([gw.adminUrl], (file) => [process.execPath, COMMAND, file, 'hangs', '{target}']);
  const start = await program.nthStart(1);
  west.become('active', '2;west');
  east.become('standby', '2;west');
  await untilGone(start);
  await program.untilLogged({ msg: 'MirrorMaker stopped', source: 'east' });
});

test('it keeps running without a gateway, and asks another one', async () => {
  const one = await eastAndWest({ admin: { port: 0, token: TEST_TOKEN } });
  const other = await eastAndWest({ admin: { port: 0, token: TEST_TOKEN } });
  for (const { east, west } of [one, other]) {
    preparing(west);
    ending(east, true);
  }
  const program = new Program([one.gw.adminUrl, other.gw.adminUrl]);
  const start = await program.nthStart(1);
  await one.gw.close();
  // The other one does not know what west does.
  await other.west.kill();
  await program.untilLogged({
    msg: 'nothing is changed',
    reason: expect.stringContaining('does not know the mode of west'),
  });
  expect(isAlive(start.pid)).toBe(true);
  await other.gw.close();
  await program.untilLogged({ reason: expect.stringContaining('No gateway responds') });
  expect(isAlive(start.pid)).toBe(true);
  expect(program.starts).toHaveLength(1);
});

test('a command that cannot be started is reported, and tried again', async () => {
  const { east, west, gw } = await eastAndWest({ admin: { port: 0, token: TEST_TOKEN } });
  const bridge = preparing(west);
  ending(east, true);
  const program = new Program([gw.adminUrl], () => ['/no/such/command', '{source}']);
  await program.untilLogged({
    msg: 'failed, and tried again',
    reason: expect.stringContaining('/no/such/command cannot be started'),
  });
  await until('it is tried again', () => bridge.requests > 1);
});

test('a program that is killed leaves no MirrorMaker behind, which the next one could not stop', async () => {
  const { east, west, gw } = await eastAndWest({ admin: { port: 0, token: TEST_TOKEN } });
  preparing(west);
  ending(east, true);
  const program = new Program([gw.adminUrl]);
  const start = await program.nthStart(1);
  await program.untilLogged({ msg: 'MirrorMaker started', pid: start.pid });
  program.stop('SIGKILL');
  await untilGone(start);
});

test('a gateway that has yet to learn of a promotion does not turn the direction back, and the next one is asked', async () => {
  const sides = await Promise.all([1, 2, 3].map(() => eastAndWest({ admin: { port: 0, token: TEST_TOKEN } })));
  for (const { east, west } of sides) {
    preparing(west);
    ending(east, true);
    ending(west, true);
  }
  const [first, , last] = sides;
  const program = new Program(sides.map(({ gw }) => gw.adminUrl));
  const start = await program.nthStart(1);
  first?.east.become('standby', '2;west');
  first?.west.become('active', '2;west');
  await untilGone(start);
  await first?.gw.close();
  await program.untilLogged({ reason: expect.stringContaining('A gateway does not know yet that west was promoted.') });
  expect(program.starts).toHaveLength(1);
  // The second one still says that east is active, by its first promotion.
  last?.east.become('active', '3;east');
  last?.west.become('standby', '3;east');
  expect(await program.nthStart(2)).toMatchObject({ source: 'east' });
});

test('what fails again and again is logged once, and so is its end', async () => {
  const { east, west, gw } = await eastAndWest({ admin: { port: 0, token: TEST_TOKEN } });
  ending(east, true);
  const inWest = ending(west, false);
  inWest.refusal = 'its log cannot be written';
  east.become('standby', '2;west');
  west.become('active', '2;west');
  await until('the gateway knows it', async () => {
    const { active, members } = (await ask(`${gw.adminUrl}/api/clusters`)).body as KafkaClusters;
    return active === 'west' && members.find(({ name }) => name === 'west')?.mode === 'active';
  });
  const program = new Program([gw.adminUrl]);
  await until('it reports the end again and again', () => inWest.notes.length > 4);
  inWest.refusal = undefined;
  await program.untilLogged({ msg: 'recovered', reason: 'its log cannot be written' });
  expect(program.log.map(({ msg, reason }) => [msg, reason])).toEqual([
    ['MirrorMaker does not run', 'west is active'],
    ['failed, and tried again', 'its log cannot be written'],
    ['recovered', 'its log cannot be written'],
  ]);
});
