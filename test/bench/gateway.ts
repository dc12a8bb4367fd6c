/**
 * Requests per second on one core through the gateway, and in the same run through a bare upstream, @fastify/http-proxy,
 * and nginx and HAProxy where they are installed; and the cost of an open topology page. Rounds alternate, so that
 * a slow moment of the machine affects all of them.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { findFreePorts } from '@causeway/lab/stack/ports.ts';
import { LabProcess, Reaper } from '@causeway/lab/stack/process.ts';
import { request } from 'undici';
import { createLoad, hasCommand, type LoadResult } from './load.ts';
import { openPage } from './open-page.ts';
import { cpuSeconds } from './process-usage.ts';
import { formatTable, median } from './statistics.ts';

const CONNECTIONS = 64;
const WARM_UP_SECONDS = 4;
const ROUNDS = 5;
const ROUND_SECONDS = 4;
const GATEWAY = 'causeway gateway';
const WITH_PAGE = 'causeway gateway, page open';
/** One record whose value has 100 bytes. */
const BODY = JSON.stringify({ records: [{ key: 'sensor-1', value: { text: 'x'.repeat(89) } }] });

interface Subject {
  name: string;
  port: number;
  /** Starts the proxy in front of `upstreamPort`. */
  command: (options: Places) => { command: string; args: string[] };
}

interface Places {
  port: number;
  adminPort: number;
  upstreamPort: number;
  directory: string;
}

/** A contestant: a program, with or without an open page. */
interface Measured {
  name: string;
  port: number;
  child: LabProcess;
  /** Where the page is open. */
  adminUrl?: string;
  rounds: Round[];
}

interface Round extends LoadResult {
  cpuMicrosecondsPerRequest: number;
}

const program = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

function subjects(ports: number[]): Subject[] {
  const [gateway = 0, httpProxy = 0, nginx = 0, haproxy = 0] = ports;
  const all: (Subject & { isThere: boolean })[] = [
    { name: GATEWAY, port: gateway, command: gatewayCommand, isThere: true },
    { name: '@fastify/http-proxy', port: httpProxy, command: httpProxyCommand, isThere: true },
    { name: 'nginx (1 worker)', port: nginx, command: nginxCommand, isThere: hasCommand('nginx', ['-v']) },
    { name: 'HAProxy (1 thread)', port: haproxy, command: haproxyCommand, isThere: hasCommand('haproxy', ['-v']) },
  ];
  return all.filter(({ isThere }) => isThere);
}

const gatewayCommand: Subject['command'] = ({ port, adminPort, upstreamPort, directory }) => {
  const file = join(directory, 'gateway.yaml');
  writeFileSync(
    file,
    `listen:\n  port: ${port}\nadmin:\n  port: ${adminPort}\nhealthCheck:\n  path: /topics\nregions:\n  - name: east\n    targets:\n      - url: http://127.0.0.1:${upstreamPort}\n`,
  );
  return { command: process.execPath, args: [program('../../packages/gateway/src/main.ts'), '--config', file] };
};

const httpProxyCommand: Subject['command'] = ({ port, upstreamPort }) => ({
  command: process.execPath,
  args: [program('./http-proxy.ts'), String(port), `http://127.0.0.1:${upstreamPort}`],
});

const nginxCommand: Subject['command'] = ({ port, upstreamPort, directory }) => {
  const file = join(directory, 'nginx.conf');
  writeFileSync(
    file,
    `daemon off; master_process off; pid ${directory}/nginx.pid; error_log stderr;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path ${directory}/body; proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/fastcgi; uwsgi_temp_path ${directory}/uwsgi; scgi_temp_path ${directory}/scgi;
  upstream east { server 127.0.0.1:${upstreamPort}; keepalive ${CONNECTIONS}; }
  server {
    listen 127.0.0.1:${port};
    keepalive_requests 100000000;
    location / { proxy_pass http://east; proxy_http_version 1.1; proxy_set_header Connection ""; }
  }
}
`,
  );
  return { command: 'nginx', args: ['-c', file] };
};

const haproxyCommand: Subject['command'] = ({ port, upstreamPort, directory }) => {
  const file = join(directory, 'haproxy.cfg');
  writeFileSync(
    file,
    `global
  nbthread 1
defaults
  mode http
  timeout client 30s
  timeout server 30s
  timeout connect 5s
  http-reuse always
frontend clients
  bind 127.0.0.1:${port}
  default_backend east
backend east
  server east 127.0.0.1:${upstreamPort}
`,
  );
  return { command: 'haproxy', args: ['-f', file, '-db'] };
};

async function answers(port: number): Promise<boolean> {
  try {
    const { statusCode, body } = await request(`http://127.0.0.1:${port}/topics/bench`, { method: 'POST', body: BODY });
    await body.dump();
    return statusCode === 200;
  } catch {
    return false;
  }
}

export async function benchGateway(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-bench-'));
  const reaper = new Reaper();
  const started: LabProcess[] = [];
  const canPin = availableParallelism() >= 2 && hasCommand('taskset');
  const pinned = (processor: 0 | 1): string[] => (canPin ? ['taskset', '-c', String(processor)] : []);
  const start = async (
    name: string,
    port: number,
    processor: 0 | 1,
    command: string,
    args: string[],
  ): Promise<LabProcess> => {
    const [first = '', ...rest] = [...pinned(processor), command, ...args];
    const child = await LabProcess.start({
      name,
      command: first,
      args: rest,
      logFile: join(directory, `${port}.log`),
      reaper,
    });
    started.push(child);
    await child.waitUntilReady(() => answers(port), { timeoutMs: 10_000 });
    return child;
  };
  try {
    const [upstreamPort = 0, adminPort = 0, ...ports] = await findFreePorts(6);
    const load = createLoad({
      body: BODY,
      contentType: 'application/vnd.kafka.json.v2+json',
      directory,
      prefix: pinned(1),
    });
    const upstream = await start('upstream', upstreamPort, 1, process.execPath, [
      program('./upstream.ts'),
      String(upstreamPort),
    ]);
    const measured: Measured[] = [{ name: 'bare upstream', port: upstreamPort, child: upstream, rounds: [] }];
    for (const { name, port, command } of subjects(ports)) {
      const { command: file, args } = command({ port, adminPort, upstreamPort, directory });
      const child = await start(name, port, 0, file, args);
      measured.push({ name, port, child, rounds: [] });
      if (command !== gatewayCommand) continue;
      const adminUrl = `http://127.0.0.1:${adminPort}`;
      measured.push({ name: WITH_PAGE, port, child, adminUrl, rounds: [] });
    }
    const where = canPin
      ? 'the proxy on one core, upstream and load on another'
      : 'not pinned: proxy, upstream and load share the cores';
    process.stdout.write(`POST of one 100-byte record on ${CONNECTIONS} connections, ${load.tool}; ${where}\n`);
    const urlOf = (port: number): string => `http://127.0.0.1:${port}/topics/bench`;
    for (const { port, adminUrl } of measured) {
      if (adminUrl !== undefined) continue;
      await load.run(urlOf(port), { seconds: WARM_UP_SECONDS, connections: CONNECTIONS });
    }
    for (let round = 1; round <= ROUNDS; round += 1) {
      // No contestant is always the last of a round.
      const order = round % 2 === 0 ? measured.toReversed() : measured;
      for (const { port, child, adminUrl, rounds } of order) {
        const page = adminUrl === undefined ? undefined : await openPage(adminUrl);
        const before = cpuSeconds(child.pid);
        const result = await load.run(urlOf(port), { seconds: ROUND_SECONDS, connections: CONNECTIONS });
        const cpuMicrosecondsPerRequest = ((cpuSeconds(child.pid) - before) * 1e6) / result.requestCount;
        rounds.push({ ...result, cpuMicrosecondsPerRequest });
        await page?.close();
        if (page?.updateCount === 0) throw new Error('the open page got no updates');
      }
      process.stdout.write(`round ${round} of ${ROUNDS} done\n`);
    }
    print(measured);
  } finally {
    await Promise.all(started.map((child) => child.kill()));
    await reaper.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

function print(measured: readonly Measured[]): void {
  const roundsOf = (wanted: string): Round[] => measured.find(({ name }) => name === wanted)?.rounds ?? [];
  const yardstick = roundsOf('@fastify/http-proxy');
  const rows = measured.map(({ name, rounds }) => {
    const cpu = median(rounds.map((round) => round.cpuMicrosecondsPerRequest));
    return [
      name,
      Math.round(median(rounds.map((round) => round.requestsPerSecond))).toLocaleString('en'),
      median(rounds.map((round) => round.p99Ms)).toFixed(1),
      Number.isNaN(cpu) ? '-' : cpu.toFixed(1),
      `${ratioOf(rounds, yardstick).toFixed(2)} x`,
      String(rounds.reduce((sum, round) => sum + round.errorCount, 0)),
    ];
  });
  const header = ['through', 'requests/s', 'p99 ms', 'CPU us/request', 'of http-proxy', 'errors'];
  const pageRatio = ratioOf(roundsOf(WITH_PAGE), roundsOf(GATEWAY));
  process.stdout.write(
    `\n${formatTable([header, ...rows])}\n\nMedians of ${ROUNDS} rounds of ${ROUND_SECONDS} s. ` +
      `With a topology page open the gateway takes ${(pageRatio * 100).toFixed(1)} % of the requests that it takes without.\n`,
  );
}

/** Paired by round: a slow moment of the machine affects both figures. */
function ratioOf(rounds: readonly Round[], others: readonly Round[]): number {
  return median(
    rounds.map((round, index) => round.requestsPerSecond / (others[index]?.requestsPerSecond ?? Number.NaN)),
  );
}
