/** The image and the tarball, built and run for real over a real Kafka. It prints what it measures. */
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { Sbom } from '../../deploy/release/sbom.ts';
import { hasDebianTool } from '../harness/debian-tool.ts';
import { KafkaView } from '../harness/kafka-view.ts';
import {
  checkReleasedSystem,
  ReleasedProgram,
  runReleased,
  type StartReleased,
  startReleasedSystem,
  stopReleasedSystem,
} from '../harness/released-system.ts';

import { makeBaseImages } from './base-images.ts';
import { Engine } from './engine.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const IMAGE = 'localhost/causeway:test';
const COMMIT = '0123456789ab';
const MIB = 1024 * 1024;
/** Debian's slim image is 75 MiB, Node.js 143 MiB; the rest is Causeway with its libraries and compiled code. */
const MAX_IMAGE_BYTES = 300 * MIB;
const { version } = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')) as { version: string };
const hasEngine =
  process.getuid?.() === 0 &&
  (['buildah', 'podman', 'runc', 'debootstrap'] as const).every((name) => hasDebianTool(name, '--version'));

let scratch: string;
let kafka: KafkaView;

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'causeway-image-'));
  chmodSync(scratch, 0o755);
  kafka = await KafkaView.connect(inject('kafkaBootstrap'));
});

afterAll(async () => {
  await kafka.close();
  rmSync(scratch, { recursive: true });
});

function report(line: string): void {
  process.stdout.write(`  ${line}\n`);
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
const mebibytes = (bytes: number): string => `${Math.round(bytes / MIB)} MiB`;

async function checkAll(start: StartReleased, name: string): Promise<void> {
  const topic = await kafka.topic(2);
  const system = await startReleasedSystem(start, inject('kafkaBootstrap'));
  await checkReleasedSystem(start, system, topic);
  const { gateway, bridge } = system.readyMs;
  report(`${name}: bridge ready after ${seconds(bridge)}, gateway after ${seconds(gateway)}`);
  const stopped = await stopReleasedSystem(system);
  report(`${name}: after SIGTERM gateway ended in ${seconds(stopped.gateway)}, bridge in ${seconds(stopped.bridge)}`);
}

describe.runIf(hasEngine)('the image', () => {
  let engine: Engine;

  beforeAll(() => {
    const bases = makeBaseImages();
    engine = new Engine(join(scratch, 'engine'));
    for (const [image, tarball] of Object.entries(bases)) engine.import(tarball, image);
    const startedAtMs = performance.now();
    engine.build(ROOT, IMAGE, { COMMIT, VERSION: version });
    report(`built in ${seconds(performance.now() - startedAtMs)}`);
  });

  afterAll(() => engine.close());

  const startAs =
    (user: string, ...options: string[]): StartReleased =>
    (args, directory) =>
      engine.start(IMAGE, args, {
        directory,
        options: ['--user', user, '--memory', '512m', '--cpus', '1', ...options],
      });

  test('is small, and has labels, a health check and a signal to stop', () => {
    const size = Number(engine.podman('image', 'inspect', '--format', '{{.Size}}', IMAGE));
    report(`size ${mebibytes(size)}`);
    expect(size).toBeLessThan(MAX_IMAGE_BYTES);
    const [{ Config, Labels, Healthcheck }] = JSON.parse(engine.podman('image', 'inspect', IMAGE)) as [
      {
        Config: { User: string; StopSignal: string; Entrypoint: string[] };
        Labels: object;
        Healthcheck: { Test: string[] };
      },
    ];
    expect(Config).toMatchObject({ User: '1000:1000', StopSignal: 'SIGTERM', Entrypoint: ['causeway'] });
    expect(Healthcheck.Test).toEqual(['CMD', 'causeway', 'healthy']);
    expect(Labels).toMatchObject({
      'org.opencontainers.image.version': version,
      'org.opencontainers.image.revision': COMMIT,
    });
  });

  test('has no npm, no compiler, no tests, and nothing of its own that all may write', async () => {
    const find =
      '/ -xdev ( ( -name npm -o -name npx -o -name tsc -o -name gcc -o -name *.test.ts ) -not -type d -o -path /causeway/* -perm -0002 -not -type l )';
    const program = new ReleasedProgram(
      engine.start(IMAGE, find.split(' '), { options: ['--entrypoint', '/usr/bin/find'] }),
    );
    await program.exitCode();
    const found = program.output
      .split('\n')
      // Not where find may not look.
      .filter((line) => line.startsWith('/') && !/^\/(?:proc|dev|sys)\/|^\/usr\/bin\/find: /.test(line));
    expect(found).toEqual([]);
  });

  test('prints its version, with a file system that is read-only', async () => {
    const { output, code } = await runReleased(startAs('1000:1000'), '--version');
    expect(code).toBe(0);
    expect(output).toContain(`causeway ${version} (commit ${COMMIT}, Node.js ${process.versions.node})`);
  });

  test.each(['1000:1000', '1000650000:0'])('serves as user %s', async (user) => {
    await checkAll(startAs(user), `user ${user}`);
  });

  test('the bill of materials is in it', async () => {
    const program = new ReleasedProgram(
      engine.start(IMAGE, ['/causeway/sbom.cdx.json'], { options: ['--entrypoint', '/bin/cat'] }),
    );
    await program.exitCode();
    const { components } = JSON.parse(program.output) as Sbom;
    report(`${components.length} components`);
    expect(components.map(({ name }) => name)).toContain('node');
  });

  test('its health check says whether the program responds', async () => {
    const config = join(scratch, 'gateway.yaml');

    writeFileSync(
      config,
      'listen: { port: 0 }\nadmin: { port: 0 }\nregions: [{ name: a, targets: [{ url: "http://127.0.0.1:1" }] }]\n',
    );
    const options = ['--name', 'checked', '--volume', `${config}:/etc/causeway/gateway.yaml:ro`];
    const gateway = new ReleasedProgram(
      engine.start(IMAGE, ['gateway', '--config', '/etc/causeway/gateway.yaml'], { options }),
    );
    const url = await gateway.written(/"url":"([^"]+)"/);
    const check = (target: string): string =>
      engine.podman('exec', '--env', `CAUSEWAY_HEALTH_URL=${target}`, 'checked', 'causeway', 'healthy');
    expect(check(`${url}/healthy`)).toBe('');
    expect(() => check('http://127.0.0.1:1/healthy')).toThrow('does not respond');
    const status = engine.podman('exec', 'checked', 'cat', '/proc/1/status');
    report(`an idle gateway has ${mebibytes(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024)} resident`);
    gateway.child.kill('SIGTERM');
    expect(await gateway.exitCode()).toBe(0);
  });

  test('Node.js bounds its heap by the limit of the container', async () => {
    const limits = await Promise.all(
      ['256m', '512m', '1g'].map(async (memory) => {
        const options = ['--entrypoint', '/causeway/bin/node', '--memory', memory];
        const program = new ReleasedProgram(
          engine.start(IMAGE, ['-p', 'v8.getHeapStatistics().heap_size_limit'], { options }),
        );
        await program.exitCode();
        return { memory, limit: Number(/\d+/.exec(program.output)?.[0]) };
      }),
    );
    for (const { memory, limit } of limits) report(`memory ${memory}: heap of at most ${mebibytes(limit)}`);
    expect(limits.map(({ limit }) => limit)).toEqual([...limits.map(({ limit }) => limit)].sort((a, b) => a - b));
    // Node.js has no smaller one than about 256 MiB by itself.
    expect(limits[1]?.limit).toBeLessThan(512 * MIB);
  });

  test('compiled code in the image makes a start cheaper', async () => {
    const config = join(scratch, 'check.yaml');

    writeFileSync(config, 'regions: [{ name: a, targets: [{ url: "http://127.0.0.1:1" }] }]\n');
    /** Processor time of a gateway that loads everything, checks its file and ends. */
    const cpuMs = async (user: string, ...options: string[]): Promise<number> => {
      const script = '/causeway/bin/causeway gateway --config /check.yaml --check >/dev/null; times';
      const program = new ReleasedProgram(
        engine.start(IMAGE, ['-c', script], {
          options: ['--user', user, '--entrypoint', '/bin/sh', '--volume', `${config}:/check.yaml:ro`, ...options],
        }),
      );
      await program.exitCode();
      const ofChildren = program.output.trim().split('\n').at(-1) ?? '';
      return [...ofChildren.matchAll(/(\d+)m([\d.]+)s/g)].reduce(
        (sum, [, m, s]) => sum + Number(m) * 60_000 + Number(s) * 1000,
        0,
      );
    };
    const warm = await cpuMs('1000:1000');
    const cold = await cpuMs('1000:1000', '--env', 'NODE_COMPILE_CACHE=');
    const other = await cpuMs('1000650000:0');
    report(
      `a start costs ${Math.round(warm)} ms of CPU; ${Math.round(cold)} ms without compiled code; ${Math.round(other)} ms as another user`,
    );
    expect(warm).toBeLessThan(cold * 0.8);
  });
});

describe('the tarball', () => {
  test('is the same twice, and its programs run with nothing else', async () => {
    const name = `causeway-${version}-${process.platform}-${process.arch}`;
    const make = (directory: string): string => {
      const { status, stdout, stderr } = spawnSync(
        process.execPath,
        ['--disable-warning=ExperimentalWarning', `${ROOT}deploy/release/main.ts`, directory],
        { encoding: 'utf8' },
      );
      expect([status, stderr]).toEqual([0, '']);
      return stdout;
    };
    const startedAtMs = performance.now();
    const directory = join(scratch, 'dist');
    const sums = make(directory);
    report(`tarball made in ${seconds(performance.now() - startedAtMs)}`);
    expect(make(join(scratch, 'again'))).toBe(sums);
    expect(spawnSync('sha256sum', ['--check', `${name}.sha256`], { cwd: directory, encoding: 'utf8' }).status).toBe(0);
    report(`tarball ${mebibytes(readFileSync(join(directory, `${name}.tar.gz`)).length)}`);
    const unpacked = join(scratch, 'unpacked');
    mkdirSync(unpacked);
    expect(spawnSync('tar', ['-xzf', join(directory, `${name}.tar.gz`), '-C', unpacked]).status).toBe(0);
    const start: StartReleased = (args, cwd) =>
      spawn(join(unpacked, name, 'bin/causeway'), args, { cwd, env: { PATH: '' }, stdio: ['ignore', 'pipe', 'pipe'] });
    const { output } = await runReleased(start, '--version');
    expect(output).toContain(`causeway ${version} (commit `);
    await checkAll(start, 'tarball');
  });
});
