/**
 * Requests per second on one core through the gateway, and in the same run through bare Node servers, @fastify/http-proxy,
 * and nginx and HAProxy where they are installed: plain, over TLS, over HTTP/2, and with mTLS to the upstream. Rounds
 * alternate, so that a slow moment of the machine affects all of them.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { findFreePorts } from '@causeway/lab/stack/ports.ts';
import { LabProcess, Reaper } from '@causeway/lab/stack/process.ts';
import { TestAuthority } from '../harness/certificates.ts';
import { CONCURRENCY, GATEWAY_ROWS, type GatewayRow, type ProxyName, ROWS, type Row } from './gateway-rows.ts';
import { createH2Load } from './h2load.ts';
import { createIdentity } from './identity.ts';
import { createLoad, hasCommand, type LoadRequest, type LoadResult } from './load.ts';
import { openPage } from './open-page.ts';
import { cpuSeconds } from './process-usage.ts';
import { bareNode, type Certificates, type Command, isOverTls, type Place, type Protocol } from './proxies.ts';
import { responds } from './responds.ts';
import { formatTable, median } from './statistics.ts';

/** A round includes the handshakes of its connections: with TLS, 64 of about a millisecond. */
const FULL = { warmUpSeconds: 1, roundCount: 3, roundSeconds: 3 };
const QUICK = { warmUpSeconds: 1, roundCount: 3, roundSeconds: 1 };
/** One record whose value has 100 bytes. */
const BODY = JSON.stringify({ records: [{ key: 'sensor-1', value: { text: 'x'.repeat(89) } }] });
/** A gateway first probes its target. */
const READY_TIMEOUT_MS = 20_000;
/** Where proxies run, and where upstream and load run. */
type Processor = 0 | 1;

/** One proxy in one row. */
interface Contestant {
  row: GatewayRow;
  name: ProxyName;
  url: string;
  adminUrl: string;
  child: LabProcess;
  /** Of each request. */
  headers: Readonly<Record<string, string>>;
  rounds: Round[];
}

interface Round extends LoadResult {
  cpuMicrosecondsPerRequest: number;
}

type Loads = Record<Row['tool'], (contestant: Contestant, seconds: number) => Promise<LoadResult>>;

export interface GatewayBench {
  isQuick: boolean;
  /** `undefined` for all. */
  wanted: ReadonlySet<GatewayRow> | undefined;
}

export async function benchGateway({ isQuick, wanted }: GatewayBench): Promise<void> {
  const sizes = isQuick ? QUICK : FULL;
  const directory = mkdtempSync(join(tmpdir(), 'causeway-bench-'));
  const bench = new Bench(directory);
  try {
    const rows = GATEWAY_ROWS.filter((row) => wanted?.has(row) ?? true).filter(isMeasurable);
    const contestants = await bench.start(rows);
    const loads = createLoads({
      body: BODY,
      contentType: 'application/vnd.kafka.json.v2+json',
      directory,
      prefix: bench.pinned(1),
    });
    process.stdout.write(`${describe(bench.canPin)}\n`);
    for (const contestant of contestants) await loads[ROWS[contestant.row].tool](contestant, sizes.warmUpSeconds);
    for (let round = 1; round <= sizes.roundCount; round += 1) {
      // No contestant is always the last of a round.
      for (const contestant of round % 2 === 0 ? contestants.toReversed() : contestants) {
        contestant.rounds.push(await measure(contestant, loads, sizes.roundSeconds));
      }
      process.stdout.write(`round ${round} of ${sizes.roundCount} done\n`);
    }
    print(contestants);
    process.stdout.write(`\nMedians of ${sizes.roundCount} rounds of ${sizes.roundSeconds} s.\n`);
  } finally {
    await bench.close();
  }
}

function isMeasurable(row: GatewayRow): boolean {
  if (ROWS[row].tool !== 'h2load' || hasCommand('h2load')) return true;
  process.stdout.write(`row ${row} is left out: h2load is not installed (Debian package: nghttp2-client)\n`);
  return false;
}

function describe(canPin: boolean): string {
  const where = canPin
    ? 'the proxy on one core, upstream and load on another'
    : 'not pinned: proxy, upstream and load share the cores';
  return `POST of one 100-byte record, ${CONCURRENCY} at a time: on so many connections of HTTP/1.1, or on one of HTTP/2; ${where}`;
}

function createLoads(request: LoadRequest): Loads {
  const load = createLoad(request);
  const h2load = createH2Load(request);
  const connections = CONCURRENCY;
  return {
    http1: ({ url, headers }, seconds) => load.run(url, { seconds, connections, headers }),
    h2load: ({ url, row }, seconds) => {
      const isHttp1 = row.startsWith('h1');
      const spread = isHttp1 ? { connections, streams: 1 } : { connections: 1, streams: CONCURRENCY };
      return h2load.run(url, { seconds, isHttp1, ...spread });
    },
  };
}

async function measure(contestant: Contestant, loads: Loads, seconds: number): Promise<Round> {
  const { row, name, child, adminUrl } = contestant;
  const page = name === 'gateway, page open' ? await openPage(adminUrl) : undefined;
  const before = cpuSeconds(child.pid);
  const result = await loads[ROWS[row].tool](contestant, seconds);
  const cpuMicrosecondsPerRequest = ((cpuSeconds(child.pid) - before) * 1e6) / result.requestCount;
  await page?.close();
  if (page?.updateCount === 0) throw new Error('the open page got no updates');
  return { ...result, cpuMicrosecondsPerRequest };
}

/** How a server is started, and found. */
interface Server {
  url: string;
  commandOf: (place: Place) => Command;
  headers: Readonly<Record<string, string>>;
}

/** The processes of one run. */
class Bench {
  readonly canPin = availableParallelism() >= 2 && hasCommand('taskset');
  readonly #directory: string;
  readonly #reaper = new Reaper();
  readonly #started: LabProcess[] = [];

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** A prefix for a command. */
  pinned(processor: Processor): string[] {
    return this.canPin ? ['taskset', '-c', String(processor)] : [];
  }

  /** Every contestant has a process of its own: one that speaks several protocols is slower at each. */
  async start(rows: readonly GatewayRow[]): Promise<Contestant[]> {
    const directory = this.#directory;
    const authority = await TestAuthority.create(directory);
    const names = { dns: ['localhost'], ip: ['127.0.0.1'] };
    const [server, client] = [await authority.certify('server', names), await authority.certify('client')];
    const certificates: Certificates = { authority, server, client };
    const [plainPort = 0, mutualPort = 0] = await findFreePorts(2);
    const upstreams = [
      { protocol: 'http1', port: plainPort },
      { protocol: 'mutual-tls', port: mutualPort },
    ] as const;
    const identity = await createIdentity(directory);
    const place = { directory, certificates, identity, connectionCount: CONCURRENCY, adminPort: 0, upstreamPort: 0 };
    for (const { protocol, port } of upstreams) {
      const url = urlOf(protocol === 'mutual-tls' ? 'tls' : 'http1', port);
      await this.#start('upstream', 1, { ...place, protocol, port }, { url, commandOf: bareNode, headers: {} });
    }
    const contestants: Contestant[] = [];
    for (const row of rows) {
      const { protocol, proxies } = ROWS[row];
      for (const { name, command, identity: kind } of proxies.filter(({ isThere }) => isThere())) {
        const [port = 0, adminPort = 0] = await findFreePorts(2);
        const upstreamPort = protocol === 'mutual-tls' ? mutualPort : plainPort;
        const url = urlOf(protocol, port);
        const here: Place = { ...place, protocol, port, adminPort, upstreamPort };
        const headers = kind === undefined ? {} : identity.headers[kind];
        const child = await this.#start(name, 0, here, { url, commandOf: command, headers });
        contestants.push({ row, name, child, url, adminUrl: `http://127.0.0.1:${adminPort}`, headers, rounds: [] });
      }
    }
    return contestants;
  }

  async close(): Promise<void> {
    await Promise.all(this.#started.map((child) => child.kill()));
    await this.#reaper.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #start(
    name: string,
    processor: Processor,
    place: Place,
    { url, commandOf, headers }: Server,
  ): Promise<LabProcess> {
    const { command, args } = commandOf(place);
    const [first = '', ...rest] = [...this.pinned(processor), command, ...args];
    const child = await LabProcess.start({
      name,
      command: first,
      args: rest,
      logFile: join(this.#directory, `${place.port}.log`),
      reaper: this.#reaper,
    });
    this.#started.push(child);
    await child.waitUntilReady(() => responds(url, { ...place, headers, body: BODY }), { timeoutMs: READY_TIMEOUT_MS });
    return child;
  }
}

function urlOf(protocol: Protocol, port: number): string {
  return `${isOverTls(protocol) ? 'https' : 'http'}://127.0.0.1:${port}/topics/bench`;
}

function print(contestants: readonly Contestant[]): void {
  const header = ['', 'through', 'requests/s', 'p99 ms', 'CPU us/request', 'errors'];
  const lines = contestants.map(({ row, name, rounds }) => {
    const cpu = median(rounds.map((round) => round.cpuMicrosecondsPerRequest));
    return [
      ROWS[row].title,
      name,
      Math.round(median(rounds.map((round) => round.requestsPerSecond))).toLocaleString('en'),
      median(rounds.map((round) => round.p99Ms)).toFixed(1),
      Number.isNaN(cpu) ? '-' : cpu.toFixed(1),
      String(rounds.reduce((sum, round) => sum + round.errorCount, 0)),
    ];
  });
  process.stdout.write(`\n${formatTable([header, ...lines])}\n`);
  const ratios = RATIOS.flatMap(({ title, of, to }) => {
    const [rounds, others] = [of, to].map(([row, name]) => roundsOf(contestants, row, name));
    return rounds === undefined || others === undefined ? [] : [[title, ratioOf(rounds, others).toFixed(2)]];
  });
  if (ratios.length > 0) process.stdout.write(`\n${formatTable([['', 'ratio'], ...ratios])}\n`);
}

interface Ratio {
  title: string;
  of: readonly [GatewayRow, ProxyName];
  to: readonly [GatewayRow, ProxyName];
}

const RATIOS: readonly Ratio[] = [
  { title: 'gateway of @fastify/http-proxy', of: ['plain', 'gateway'], to: ['plain', '@fastify/http-proxy'] },
  { title: 'page open of page closed', of: ['plain', 'gateway, page open'], to: ['plain', 'gateway'] },
  ...(['gateway', 'nginx', 'bare Node'] as const).map(
    (name): Ratio => ({ title: `${name}: HTTP/1.1 over TLS of plain`, of: ['tls', name], to: ['plain', name] }),
  ),
  ...(['gateway', 'nginx'] as const).map(
    (name): Ratio => ({ title: `${name}: mTLS to the upstream of plain`, of: ['upstream', name], to: ['plain', name] }),
  ),
  { title: 'gateway: HTTP/2 of HTTP/1.1, without TLS', of: ['h2c', 'gateway'], to: ['h1', 'gateway'] },
  { title: 'gateway: HTTP/2 of HTTP/1.1, over TLS', of: ['h2', 'gateway'], to: ['h1-tls', 'gateway'] },
  ...(['gateway, JWT', 'gateway, API key', 'gateway, JWT, rules and quotas'] as const).map(
    (name): Ratio => ({ title: `${name}: of without`, of: ['identity', name], to: ['identity', 'gateway'] }),
  ),
  ...GATEWAY_ROWS.map(
    (row): Ratio => ({ title: `gateway of nginx: ${ROWS[row].title}`, of: [row, 'gateway'], to: [row, 'nginx'] }),
  ),
];

function roundsOf(contestants: readonly Contestant[], row: GatewayRow, name: ProxyName): Round[] | undefined {
  return contestants.find((contestant) => contestant.row === row && contestant.name === name)?.rounds;
}

/** Paired by round: a slow moment of the machine affects both figures. */
function ratioOf(rounds: readonly Round[], others: readonly Round[]): number {
  return median(
    rounds.map((round, index) => round.requestsPerSecond / (others[index]?.requestsPerSecond ?? Number.NaN)),
  );
}
