/** Bridge, gateway and traffic as `causeway` starts them from a tarball or an image, and what they must do there. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { expect, onTestFinished } from 'vitest';
import { unique } from './kafka-view.ts';
import { until } from './until.ts';

/** Downloads and slow machines: everything here starts within it. */
const START_TIMEOUT_MS = 90_000;

/** Starts `causeway ARGUMENTS…`, with pipes for its output; `directory` has files that it may read. */
export type StartReleased = (args: readonly string[], directory: string) => ChildProcess;

/** A process and its output. */
export class ReleasedProgram {
  readonly child: ChildProcess;
  readonly #closed: Promise<unknown>;
  output = '';

  constructor(child: ChildProcess) {
    this.child = child;
    this.#closed = once(child, 'close');
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text) => {
        this.output += text;
      });
    }
    onTestFinished(() => {
      child.kill('SIGKILL');
    });
  }

  async exitCode(): Promise<number | null> {
    await this.#closed;
    return this.child.exitCode;
  }

  /** What `pattern` captures, once it has been written. */
  async written(pattern: RegExp): Promise<string> {
    const found = (): string | undefined => pattern.exec(this.output)?.[1];
    const isOver = (): boolean => found() !== undefined || this.child.exitCode !== null;
    await until(`it writes ${pattern.source}`, isOver, { timeoutMs: START_TIMEOUT_MS });
    return found() ?? expect.fail(`it ended without ${pattern.source}: ${this.output}`);
  }
}

/** A line that ends with the result. */
export async function runReleased(
  start: StartReleased,
  ...args: string[]
): Promise<{ code: number | null; output: string }> {
  const program = new ReleasedProgram(start(args, '/'));
  const code = await program.exitCode();
  return { code, output: program.output };
}

export interface ReleasedSystem {
  bridge: ReleasedProgram;
  gateway: ReleasedProgram;
  /** Where clients connect to the gateway. */
  url: string;
  admin: string;
  /** Of each program, from its start until it is ready. */
  readyMs: { bridge: number; gateway: number };
}

/** A bridge over that Kafka, and a gateway in front of it. Both trace, so that they load every module. */
export async function startReleasedSystem(start: StartReleased, bootstrap: string): Promise<ReleasedSystem> {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-released-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  // The programs run as other users.
  chmodSync(directory, 0o755);
  const tracing = 'tracing: { endpoint: "http://127.0.0.1:1" }\n';
  const write = (name: string, yaml: string): void =>
    writeFileSync(join(directory, name), yaml + tracing, { mode: 0o644 });
  write(
    'bridge.yaml',
    `bridge: { name: b, region: east }\nlisten: { port: 0 }\nkafka: { bootstrapServers: [${JSON.stringify(bootstrap)}] }\n`,
  );
  const startedAtMs = performance.now();
  const bridge = new ReleasedProgram(start(['bridge', '--config', join(directory, 'bridge.yaml')], directory));
  const bridgeUrl = `http://127.0.0.1:${await bridge.written(/"port":(\d+).*"bridge started"/)}`;
  await untilReady(bridgeUrl);
  const bridgeMs = performance.now() - startedAtMs;
  write(
    'gateway.yaml',
    `listen: { port: 0 }\nadmin: { port: 0 }\nregions: [{ name: east, targets: [{ url: "${bridgeUrl}" }] }]\n`,
  );
  const gatewayStartedAtMs = performance.now();
  const gateway = new ReleasedProgram(start(['gateway', '--config', join(directory, 'gateway.yaml')], directory));
  const url = await gateway.written(/"url":"([^"]+)"/);
  const admin = await gateway.written(/"adminUrl":"([^"]+)"/);
  await untilReady(admin);
  return {
    bridge,
    gateway,
    url,
    admin,
    readyMs: { bridge: bridgeMs, gateway: performance.now() - gatewayStartedAtMs },
  };
}

async function untilReady(url: string): Promise<void> {
  const isReady = async (): Promise<boolean> => {
    const { statusCode, body } = await request(`${url}/ready`);
    await body.dump();
    return statusCode === 200;
  };
  await until(`${url} is ready`, isReady, { timeoutMs: START_TIMEOUT_MS });
}

/** Page, metrics, status and health check respond, and each record that the traffic produces is consumed. */
export async function checkReleasedSystem(
  start: StartReleased,
  { url, admin }: ReleasedSystem,
  topic: string,
): Promise<void> {
  for (const path of ['/', '/page/main.ts', '/page/preact.mjs', '/page/uplot.js', '/metrics', '/api/topology']) {
    const { statusCode, body } = await request(`${admin}${path}`);
    await body.dump();
    expect([path, statusCode]).toEqual([path, 200]);
  }
  const [healthy, dead, status, consumer] = [
    new ReleasedProgram(start(['healthy', `${url}/healthy`], '/')),
    new ReleasedProgram(start(['healthy', 'http://127.0.0.1:1/healthy'], '/')),
    new ReleasedProgram(start(['status', '--url', admin], '/')),
    new ReleasedProgram(
      start(['traffic', 'consume', '--url', url, '--topic', topic, '--group', unique('group'), '--name', 'c'], '/'),
    ),
  ] as const;
  expect(await healthy.exitCode()).toBe(0);
  expect(await dead.exitCode()).toBe(1);
  expect(dead.output).toContain('does not respond');
  expect(await status.exitCode()).toBe(0);
  const producer = new ReleasedProgram(
    start(['traffic', 'produce', '--url', url, '--topic', topic, '--rate', '20', '--seconds', '6'], '/'),
  );
  expect([await producer.exitCode(), producer.output]).toEqual([0, expect.stringContaining('Nothing is missing.')]);
  await consumer.written(/(delivered [1-9])/);
  consumer.child.kill('SIGTERM');
  expect([await consumer.exitCode(), consumer.output]).toEqual([0, expect.stringContaining('Nothing is missing.')]);
}

/** SIGTERM ends both with 0. Returns how long each took. */
export async function stopReleasedSystem({
  gateway,
  bridge,
}: ReleasedSystem): Promise<{ gateway: number; bridge: number }> {
  const stop = async (program: ReleasedProgram): Promise<number> => {
    const startedAtMs = performance.now();
    program.child.kill('SIGTERM');
    expect([await program.exitCode(), program.child.signalCode]).toEqual([0, null]);
    return performance.now() - startedAtMs;
  };
  return { gateway: await stop(gateway), bridge: await stop(bridge) };
}
