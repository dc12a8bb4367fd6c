import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { until } from '../../../../test/harness/until.ts';
import { KafkaBroker } from './kafka-broker.ts';
import { findFreePorts, isPortFree } from './ports.ts';
import { Reaper } from './process.ts';

/**
 * Replaces Docker: the container is not a child of its client. It survives the client's death; the client forwards SIGTERM
 * and exits with the container; a container that exited can be started again.
 */
const DOCKER = `#!/bin/sh
state=$(dirname "$0")
echo "$@" >> "$state/calls"
launch() {
  "${process.execPath}" "$state/launch.cjs" "$(cat "$state/port")" > "$state/container"
}
attach() {
  container=$(cat "$state/container")
  trap 'kill -TERM $container' TERM
  while kill -0 "$container" 2>/dev/null; do sleep 0.02; done
}
case $1 in
  run)
    for argument in "$@"; do case $argument in 127.0.0.1:*:*) echo "\${argument##*:}" > "$state/port";; esac; done
    launch; attach;;
  start) launch; attach;;
  kill) kill -KILL "$(cat "$state/container")";;
  rm) kill -KILL "$(cat "$state/container")" 2>/dev/null; rm "$state/container";;
esac
`;

const CONTAINER = `require('net').createServer().listen(Number(process.argv[1]), '127.0.0.1')`;

/** Starts the container in its own process group, and prints its process id. */
const LAUNCH = `const { spawn } = require('child_process');
const argv = ['-e', ${JSON.stringify(CONTAINER)}, process.argv[2]];
const container = spawn(process.execPath, argv, { detached: true, stdio: 'ignore' });
container.unref();
console.log(container.pid);
`;

let directory: string;
let reaper: Reaper;
let port: number;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'causeway-docker-'));
  reaper = new Reaper();
  [port = 0] = await findFreePorts(1);
  writeFileSync(join(directory, 'launch.cjs'), LAUNCH);
  writeFileSync(join(directory, 'docker'), DOCKER);
  chmodSync(join(directory, 'docker'), 0o755);
});
afterEach(async () => {
  await reaper.close();
  rmSync(directory, { recursive: true, force: true });
});

function newBroker(): KafkaBroker {
  const runtime = { kind: 'docker', command: join(directory, 'docker') } as const;
  return new KafkaBroker({ id: 1, brokerCount: 1, ports: [port, 0], directory, runtime, reaper });
}

test('killing a broker in a container kills the container, and starting it again starts the same one', async () => {
  const broker = newBroker();
  await broker.start();
  await broker.kill();
  // The port of a killed process is free a moment later.
  await until('the port is free', () => isPortFree(port));
  await broker.start();
  expect(await isPortFree(port)).toBe(false);
  await broker.stop();
  broker.remove();
  // The port of a killed process is free a moment later.
  await until('the port is free', () => isPortFree(port));
  const name = `causeway-kafka-${process.pid}-${port}`;
  const calls = readFileSync(join(directory, 'calls'), 'utf8').trim().split('\n');
  expect(calls[0]).toMatch(new RegExp(`^run --name ${name} --publish 127\\.0\\.0\\.1:${port}:${port} .*apache/kafka`));
  expect(calls.slice(1)).toEqual([`kill ${name}`, `start --attach ${name}`, `rm --force ${name}`]);
});

test('a container ends with the lab, also after SIGKILL of the lab', async () => {
  await newBroker().start();
  await reaper.close();
  // The port of a killed process is free a moment later.
  await until('the port is free', () => isPortFree(port));
  expect(existsSync(join(directory, 'container'))).toBe(false);
});
