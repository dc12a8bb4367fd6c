/**
 * The bridge as one process, beside its own Kafka: producing, consuming, also through two gateways, and consumers that only wait. In the
 * same run, as ceilings, a bare HTTP server that parses the same body, and the Kafka client without HTTP.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { BRIDGE_NODE_OPTIONS } from '@causeway/bridge/node-options.ts';
import { ensureTopics, type KafkaCluster, startKafka } from '@causeway/lab/stack/kafka.ts';
import { findFreePorts } from '@causeway/lab/stack/ports.ts';
import { LabProcess, Reaper } from '@causeway/lab/stack/process.ts';
import {
  bridgeClient,
  createConsumer,
  deleteConsumer,
  produceSteadily,
  readRecords,
  type Timings,
  waitInPolls,
} from './bridge-clients.ts';
import { type ClientResult, VALUE } from './kafka-client.ts';
import { createLoad, output } from './load.ts';
import { cpuSeconds, type Usage, usageOf } from './process-usage.ts';
import { formatTable, percentile } from './statistics.ts';

const PARTITION_COUNT = 3;
const SINGLE = { row: 'single', name: 'one record a request', recordsPerRequest: 1, connections: 64 } as const;
const HUNDRED = { row: 'hundred', name: '100 records a request', recordsPerRequest: 100, connections: 16 } as const;
/** The same, with a key for each request: stored once, in transactions. */
const KEYED = {
  row: 'keyed',
  name: 'one record a request, each with a key',
  recordsPerRequest: 1,
  connections: 64,
} as const;
const KEYED_HUNDRED = {
  row: 'keyed100',
  name: '100 records a request, each with a key',
  recordsPerRequest: 100,
  connections: 64,
} as const;
type Producing = typeof SINGLE | typeof HUNDRED | typeof KEYED | typeof KEYED_HUNDRED;
const KEYED_ROWS: ReadonlySet<BridgeRow> = new Set(['keyed', 'keyed100']);
/** Records of a response by default until bytes alone bounded it, as in the peer API. */
const SHORT_POLL_RECORDS = 500;
const SECRET = 'secret-of-the-benchmark-0123456789';
const STEADY_REQUESTS_PER_SECOND = 100;
/** Concurrent joins. */
const JOINING_AT_ONCE = 50;
/** Time for the connections and the first fetches of waiting consumers. */
const SETTLE_MS = 8000;

interface Sizes {
  loadSeconds: number;
  recordCount: number;
  waitingCount: number;
  waitSeconds: number;
}

const FULL: Sizes = { loadSeconds: 10, recordCount: 1_000_000, waitingCount: 1000, waitSeconds: 15 };
const QUICK: Sizes = { loadSeconds: 3, recordCount: 300_000, waitingCount: 200, waitSeconds: 5 };

/** One line of the table. */
interface Row {
  name: string;
  requestCount: number;
  recordCount: number;
  p50Ms: number;
  p99Ms: number;
  usage: Usage;
  errorCount: number;
}

export interface BridgeBench {
  isQuick: boolean;
  wanted: ReadonlySet<BridgeRow> | undefined;
}

interface Bench {
  directory: string;
  reaper: Reaper;
  kafka: KafkaCluster;
  sizes: Sizes;
  /** In the order of their start. */
  started: LabProcess[];
  rows: Row[];
  isWanted: (row: BridgeRow) => boolean;
}

interface Server {
  port: number;
  child: LabProcess;
}

const TRUST = { peers: ['127.0.0.0/8'], secret: SECRET };

const program = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Lines of the table that are measured together. */
export const BRIDGE_ROWS = [
  'client',
  'bare',
  'single',
  'hundred',
  'keyed',
  'keyed100',
  'read',
  'read4',
  'through',
  'wait',
  'short',
  'short4',
] as const;
export type BridgeRow = (typeof BRIDGE_ROWS)[number];

/** `wanted`: only these, `undefined` for all. */
export async function benchBridge({ isQuick, wanted }: BridgeBench): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-bench-'));
  const reaper = new Reaper();
  let kafka: KafkaCluster | undefined;
  const started: LabProcess[] = [];
  try {
    kafka = await startKafka({
      brokerCount: 1,
      isSustained: true,
      ports: await findFreePorts(2),
      directory: join(directory, 'kafka'),
      reaper,
      onProgress: (text) => process.stderr.write(`${text}\n`),
    });
    const topics = ['single', 'hundred', 'keyed', 'keyed100', 'client', 'read', 'quiet', 'steady'];
    await ensureTopics(
      kafka.bootstrap,
      topics.map((name) => ({ name, partitionCount: PARTITION_COUNT })),
    );
    const isWanted = (row: BridgeRow): boolean => wanted?.has(row) ?? true;
    const bench: Bench = { directory, reaper, kafka, sizes: isQuick ? QUICK : FULL, started, rows: [], isWanted };
    await measureKafkaClient(bench);
    if (isWanted('bare')) await measureBareServer(bench);
    const bridge = await startBridge(bench, {});
    await measureProducing(bench, 'bridge', bridge, [SINGLE, HUNDRED, KEYED, KEYED_HUNDRED]);
    await measureReading(bench, bridge, { rows: ['read', 'read4'], options: 'default options' });
    if (isWanted('through')) await measureThrough(bench, bridge);
    const waiting = isWanted('wait') ? await measureWaiting(bench, bridge) : Number.NaN;
    await bridge.child.stop();
    if (isWanted('short') || isWanted('short4')) {
      const short = await startBridge(bench, { maxPollRecords: SHORT_POLL_RECORDS });
      await measureReading(bench, short, {
        rows: ['short', 'short4'],
        options: `${SHORT_POLL_RECORDS} records a poll`,
      });
    }
    print(bench.rows, waiting);
  } finally {
    await Promise.all(started.map((child) => child.kill()));
    await kafka?.kill();
    await reaper.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function startServer(bench: Bench, name: string, args: (port: number) => string[]): Promise<Server> {
  const [port = 0] = await findFreePorts(1);
  const logFile = join(bench.directory, `${port}.log`);
  const child = await LabProcess.start({
    name,
    command: process.execPath,
    args: args(port),
    logFile,
    reaper: bench.reaper,
  });
  bench.started.push(child);
  const isReady = async (): Promise<boolean> => {
    const answer = await fetch(`http://127.0.0.1:${port}/ready`, { method: 'POST', body: bodyOf(1) }).catch(() => {});
    await answer?.arrayBuffer();
    return answer !== undefined;
  };
  await child.waitUntilReady(isReady, { timeoutMs: 20_000 });
  return { port, child };
}

function startBridge(bench: Bench, consumers: Record<string, number>): Promise<Server> {
  return startServer(bench, 'bridge', (port) => {
    const file = join(bench.directory, `bridge-${port}.yaml`);
    const config = {
      bridge: { name: 'bench', region: 'bench' },
      listen: { port },
      kafka: { bootstrapServers: [bench.kafka.bootstrap] },
      trust: TRUST,
      consumers,
    };
    // JSON is YAML.
    writeFileSync(file, JSON.stringify(config));
    const profiling = process.env['CAUSEWAY_BENCH_NODE_ARGS']?.split(' ') ?? [];
    return [...BRIDGE_NODE_OPTIONS, ...profiling, program('../../packages/bridge/src/main.ts'), '--config', file];
  });
}

/** A gateway in front of a bridge or a gateway; `region`: of a regional one. */
function startGateway(bench: Bench, target: Server, region: string | undefined): Promise<Server> {
  return startServer(bench, 'gateway', (port) => {
    const file = join(bench.directory, `gateway-${port}.yaml`);
    const config = {
      gateway: { name: 'bench', ...(region === undefined ? {} : { region }) },
      listen: { host: '127.0.0.1', port },
      admin: { port: 0 },
      trust: TRUST,
      regions: [{ name: 'bench', targets: [{ url: `http://127.0.0.1:${target.port}` }] }],
    };
    writeFileSync(file, JSON.stringify(config));
    return [program('../../packages/gateway/src/main.ts'), '--config', file];
  });
}

function bodyOf(recordCount: number): string {
  const value = JSON.parse(VALUE) as unknown;
  return JSON.stringify({ records: Array.from({ length: recordCount }, () => ({ value })) });
}

/** The library in its own process; it also writes the records that the consumers read. */
async function measureKafkaClient({ kafka, rows, sizes, isWanted }: Bench): Promise<void> {
  const run = async (name: string, what: string, topic: string, numbers: number[]): Promise<void> => {
    const args = [program('./kafka-client.ts'), what, kafka.bootstrap, topic, ...numbers.map(String)];
    const result = JSON.parse(await output([process.execPath, ...args])) as ClientResult;
    rows.push({ ...result, name: `Kafka client: ${name}`, usage: result, errorCount: 0 });
    progress(`Kafka client: ${name}`);
  };
  const { recordCount } = sizes;
  // Twice: a broker that has just started is slow, so the first run is left out.
  await run('warm-up', 'produce', 'client', [recordCount, 100, 16]);
  rows.pop();
  await run('100 records a send, 16 at a time', 'produce', 'read', [recordCount, 100, 16]);
  if (!isWanted('client')) return;
  await run('one record a send, 64 at a time', 'produce', 'client', [recordCount / 10, 1, 64]);
  await run('fetch', 'fetch', 'read', [recordCount]);
}

async function measureBareServer(bench: Bench): Promise<void> {
  const bare = await startServer(bench, 'bare server', (port) => [program('./bare-server.ts'), String(port)]);
  await measureProducing(bench, 'bare server', bare, [SINGLE, HUNDRED]);
  await bare.child.kill();
}

async function measureProducing(
  { directory, rows, sizes, isWanted }: Bench,
  who: string,
  { port, child }: Server,
  kinds: readonly Producing[],
): Promise<void> {
  for (const { row, name, recordsPerRequest, connections } of kinds) {
    if (!isWanted(row)) continue;
    const contentType = 'application/vnd.kafka.json.v2+json';
    const load = createLoad({ body: bodyOf(recordsPerRequest), contentType, directory, prefix: [] });
    const url = `http://127.0.0.1:${port}/topics/${row}`;
    const isKeyed = KEYED_ROWS.has(row);
    await load.run(url, { seconds: Math.ceil(sizes.loadSeconds / 4), connections, isKeyed });
    const { result, usage } = await usageOf(child.pid, () =>
      load.run(url, { seconds: sizes.loadSeconds, connections, isKeyed }),
    );
    const recordCount = result.requestCount * recordsPerRequest;
    rows.push({ ...result, name: `${who}: ${name}, ${connections} connections`, recordCount, usage });
    progress(`${who}: ${name}`);
  }
}

/** One consumer, then four at the same time. */
async function measureReading(
  bench: Bench,
  server: Server,
  { rows, options }: { rows: readonly [one: BridgeRow, four: BridgeRow]; options: string },
): Promise<void> {
  const [one, four] = rows;
  const { port } = server;
  const pids = [server.child.pid];
  if (bench.isWanted(one))
    await readAll(bench, { port, pids, count: 1, name: `bridge: one consumer, JSON, ${options}` });
  if (bench.isWanted(four))
    await readAll(bench, { port, pids, count: 4, name: `bridge: 4 consumers in 4 groups, ${options}` });
}

/** One consumer through a tier-1 and a regional gateway; the processors of all three. */
async function measureThrough(bench: Bench, bridge: Server): Promise<void> {
  const regional = await startGateway(bench, bridge, 'bench');
  const tier1 = await startGateway(bench, regional, undefined);
  const pids = [bridge, regional, tier1].map(({ child }) => child.pid);
  await readAll(bench, {
    port: tier1.port,
    pids,
    count: 1,
    name: 'one consumer, JSON, through two gateways (all three)',
  });
  await Promise.all([tier1.child.stop(), regional.child.stop()]);
}

/** Every consumer is in its own group and reads everything; before that, one reads a part, as a warm-up. */
async function readAll(
  bench: Bench,
  { port, pids, count, name }: { port: number; pids: number[]; count: number; name: string },
): Promise<void> {
  const { recordCount } = bench.sizes;
  const client = bridgeClient(port);
  const groups = Array.from({ length: count }, (_, number) => `read-${port}-${count}-${number}`);
  const first = await createConsumer(client, `warm-up-${port}-${count}`, 'read');
  await readRecords(client, first, recordCount / 4);
  await deleteConsumer(client, first);
  const consumers = await Promise.all(groups.map((group) => createConsumer(client, group, 'read')));
  const { result, usage } = await usageOf(pids, () =>
    Promise.all(consumers.map((consumer) => readRecords(client, consumer, recordCount))),
  );
  await Promise.all(consumers.map((consumer) => deleteConsumer(client, consumer)));
  const read = result.reduce((sum, each) => sum + each.recordCount, 0);
  bench.rows.push({ ...timingsRow(name, merge(result), usage), recordCount: read });
  progress(name);
  await client.agent.close();
}

/** Cost of the waiting consumers, in percent of a core. */
async function measureWaiting(bench: Bench, { port, child }: Server): Promise<number> {
  const { waitingCount, waitSeconds } = bench.sizes;
  const client = bridgeClient(port);
  const steady = async (name: string): Promise<Usage> => {
    const options = { requestsPerSecond: STEADY_REQUESTS_PER_SECOND, seconds: waitSeconds };
    const value = JSON.parse(VALUE) as unknown;
    const { result, usage } = await usageOf(child.pid, () =>
      produceSteadily(client, { ...options, path: '/topics/steady', value }),
    );
    bench.rows.push(timingsRow(name, result, usage));
    progress(name);
    return usage;
  };
  const alone = await steady(`bridge: ${STEADY_REQUESTS_PER_SECOND} requests/s alone`);
  const stop = new AbortController();
  const polls: Promise<number>[] = [];
  for (let first = 0; first < waitingCount; first += JOINING_AT_ONCE) {
    const groups = Array.from({ length: JOINING_AT_ONCE }, (_, index) => `wait-${first + index}`);
    const consumers = await Promise.all(groups.map((group) => createConsumer(client, group, 'quiet')));
    polls.push(...consumers.map((consumer) => waitInPolls(client, consumer, stop.signal)));
    await delay(JOINING_AT_ONCE);
  }
  await delay(SETTLE_MS);
  const idleBefore = cpuSeconds(child.pid);
  await delay(waitSeconds * 1000);
  const idlePercent = ((cpuSeconds(child.pid) - idleBefore) / waitSeconds) * 100;
  const beside = await steady(`bridge: ${STEADY_REQUESTS_PER_SECOND} requests/s, ${waitingCount} long polls waiting`);
  stop.abort();
  const errorCounts = await Promise.all(polls);
  const last = bench.rows.at(-1);
  if (last !== undefined) last.errorCount += errorCounts.reduce((sum, count) => sum + count, 0);
  await client.agent.destroy();
  const addedPercent = ((beside.cpuSeconds - alone.cpuSeconds) / waitSeconds) * 100;
  progress(`waiting alone ${idlePercent.toFixed(1)} %, added to producing ${addedPercent.toFixed(1)} % of a core`);
  return idlePercent;
}

function merge(timings: readonly Timings[]): Timings {
  return {
    durationsMs: timings.flatMap(({ durationsMs }) => durationsMs),
    errorCount: timings.reduce((sum, { errorCount }) => sum + errorCount, 0),
  };
}

function timingsRow(name: string, { durationsMs, errorCount }: Timings, usage: Usage): Row {
  return {
    name,
    requestCount: durationsMs.length,
    recordCount: durationsMs.length,
    p50Ms: percentile(durationsMs, 50),
    p99Ms: percentile(durationsMs, 99),
    usage,
    errorCount,
  };
}

function progress(text: string): void {
  process.stderr.write(`done: ${text}\n`);
}

function print(rows: readonly Row[], waitingPercent: number): void {
  const whole = (value: number): string => Math.round(value).toLocaleString('en');
  const cells = rows.map(({ name, requestCount, recordCount, p50Ms, p99Ms, usage, errorCount }) => [
    name,
    whole(requestCount / usage.wallSeconds),
    whole(recordCount / usage.wallSeconds),
    p50Ms.toFixed(1),
    p99Ms.toFixed(1),
    (usage.cpuSeconds / usage.wallSeconds).toFixed(2),
    ((usage.cpuSeconds * 1e6) / recordCount).toFixed(1),
    whole(usage.residentBytes / 1_048_576),
    String(errorCount),
  ]);
  const header = ['', 'requests/s', 'records/s', 'p50 ms', 'p99 ms', 'cores', 'CPU s/M', 'MiB', 'errors'];
  const waiting = Number.isNaN(waitingPercent)
    ? ''
    : ` Long polls that wait cost ${waitingPercent.toFixed(1)} % of a core.`;
  process.stdout.write(`\n${formatTable([header, ...cells])}\n\nRecords of 100 bytes, acks=all.${waiting}\n`);
}
