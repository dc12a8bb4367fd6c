/** A tier-1 gateway, a regional gateway and a bridge as real processes over a real Kafka, with a tap before each inner hop. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { ensureTopics } from '@causeway/lab/stack/kafka.ts';
import { TestAuthority } from '../harness/certificates.ts';
import { until } from '../harness/until.ts';
import { exchange, marked, type Open, openTcp } from './attacker.ts';
import { Program } from './program.ts';
import { Tap } from './tap.ts';

export type GatewayTier = 'tier1' | 'regional';
export type Tier = GatewayTier | 'bridge';
/** How a client connects: HTTP/1.1 without and with TLS, and HTTP/2 by prior knowledge and as ALPN negotiates it. */
export type Way = 'plain' | 'tls' | 'h2c' | 'h2';
type ListenerName = 'plain' | 'tls' | 'h2c';
const LISTENERS: readonly ListenerName[] = ['plain', 'tls', 'h2c'];

export const TIERS: readonly Tier[] = ['tier1', 'regional', 'bridge'];

/** Each good client and each long run needs one of its own. */
const PARTITION_COUNT = 8;
/** How long a tier waits for bytes that an attacker announces and does not send. */
const PATIENCE_MS = 3_000;
const LOOPBACK = ['127.0.0.0/8'];
const SECRET = 'secret-of-hostile-tests-0123456789';

type Parts = Pick<HostileSystem, 'topic' | 'goodTopic' | 'ports' | 'adminUrls' | 'programs' | 'taps' | 'directory'> & {
  /** Ports in the order of `LISTENERS`. */
  listeners: Readonly<Record<GatewayTier, readonly number[]>>;
  ca: string;
};

export class HostileSystem {
  /** For hostile clients. */
  readonly topic: string;
  /** For good clients, who have each partition to themselves. */
  readonly goodTopic: string;
  readonly ports: Readonly<Record<Tier, number>>;
  readonly #listeners: Readonly<Record<GatewayTier, readonly number[]>>;
  readonly #ca: string;
  readonly adminUrls: Readonly<Record<GatewayTier, string>>;
  readonly programs: Readonly<Record<Tier, Program>>;
  /** Before the regional gateway, and before the bridge. */
  readonly taps: Readonly<Record<'regional' | 'bridge', Tap>>;
  readonly directory: string;

  private constructor(parts: Parts) {
    this.topic = parts.topic;
    this.goodTopic = parts.goodTopic;
    this.ports = parts.ports;
    this.#listeners = parts.listeners;
    this.#ca = parts.ca;
    this.adminUrls = parts.adminUrls;
    this.programs = parts.programs;
    this.taps = parts.taps;
    this.directory = parts.directory;
  }

  static async start(bootstrap: string): Promise<HostileSystem> {
    const directory = mkdtempSync(join(tmpdir(), 'causeway-hostile-'));
    const topic = `hostile-${Date.now().toString(36)}`;
    const goodTopic = `${topic}-good`;
    const trust = { proxies: [], peers: LOOPBACK, secret: SECRET };
    const accessLog = (tier: Tier): object => ({
      accessLog: { file: join(directory, `${tier}.access.log`), sampleRatio: 1 },
    });
    const [theBridge] = await Promise.all([
      startBridge(directory, {
        bridge: { name: 'bridge', region: 'east' },
        listen: { port: 0 },
        kafka: { bootstrapServers: bootstrap.split(',') },
        limits: { headersTimeoutMs: PATIENCE_MS, requestTimeoutMs: PATIENCE_MS },
        trust,
        ...accessLog('bridge'),
      }),
      ensureTopics(
        bootstrap,
        [topic, goodTopic].map((name) => ({ name, partitionCount: PARTITION_COUNT })),
      ),
    ]);
    const bridgeTap = await Tap.start(theBridge.port);
    const authority = await TestAuthority.create(directory);
    const { certFile, keyFile } = await authority.certify('gateway', { ip: ['127.0.0.1'] });
    const address = { host: '127.0.0.1', port: 0 };
    const listeners = [
      { name: 'plain', ...address },
      { name: 'tls', ...address, tls: { certFile, keyFile } },
      { name: 'h2c', ...address, http2: { isEnabled: true } },
    ];
    const startTier = async (tier: GatewayTier, tap: Tap) => {
      const region = tier === 'regional' ? { region: 'east' } : {};
      const program = new Program('gateway', tier, {
        directory,
        config: {
          gateway: { name: tier, ...region },
          listeners,
          admin: { port: 0 },
          regions: [{ name: 'east', targets: [{ url: tap.url }] }],
          request: { headersTimeoutMs: PATIENCE_MS, bodyTimeoutMs: PATIENCE_MS },
          healthCheck: { intervalMs: 200, timeoutMs: 10_000, rise: 1 },
          trust,
          ...accessLog(tier),
        },
      });
      const { urls, adminUrl } = await program.line('started');
      await program.line('health');
      const ports = (urls as string[]).map((url) => Number(new URL(url).port));
      return { program, ports, port: ports[0] as number, adminUrl: String(adminUrl) };
    };
    const regional = await startTier('regional', bridgeTap);
    const regionalTap = await Tap.start(regional.port);
    const first = await startTier('tier1', regionalTap);
    return new HostileSystem({
      topic,
      goodTopic,
      directory,
      ports: { tier1: first.port, regional: regional.port, bridge: theBridge.port },
      listeners: { tier1: first.ports, regional: regional.ports },
      ca: authority.cert,
      adminUrls: { tier1: first.adminUrl, regional: regional.adminUrl },
      programs: { tier1: first.program, regional: regional.program, bridge: theBridge.program },
      taps: { regional: regionalTap, bridge: bridgeTap },
    });
  }

  /** Of the tier-1 gateway. */
  get tlsPort(): number {
    return this.#listeners.tier1[LISTENERS.indexOf('tls')] as number;
  }

  /** How a client of a gateway connects. */
  open(tier: GatewayTier, way: Way): Open {
    const listener = way === 'h2' ? 'tls' : way;
    const port = this.#listeners[tier][LISTENERS.indexOf(listener)] as number;
    if (listener !== 'tls') return openTcp(port);
    const ALPNProtocols = [way === 'h2' ? 'h2' : 'http/1.1'];
    return () => connectTls({ port, host: '127.0.0.1', ca: this.#ca, ALPNProtocols });
  }

  /** Request ids in the access log of a tier, in its order. */
  requestIds(tier: Tier): string[] {
    const text = readFileSync(join(this.directory, `${tier}.access.log`), 'utf8');
    return text
      .split('\n')
      .flatMap((line) => (line === '' ? [] : [(JSON.parse(line) as { requestId: string }).requestId]));
  }

  /** Waits until the access logs have everything up to now. */
  async flushLogs(): Promise<void> {
    const { bytes, requestId } = marked(this.topic, 'marker', 'connection: close\r\n');
    await exchange(openTcp(this.ports.tier1)(), [bytes]);
    await until('the access logs have the last request', () =>
      TIERS.every((tier) => this.requestIds(tier).includes(requestId)),
    );
  }

  /** Those of the request ids that a tier has served. */
  async servedOf(ids: readonly string[]): Promise<string[]> {
    await this.flushLogs();
    const all = new Set(ids);
    return TIERS.flatMap((tier) => this.requestIds(tier).filter((id) => all.has(id)));
  }

  /** What no hostile client may cause, a sentence each: an ended process, a bug in a log, a request between tiers that is not canonical. */
  damage(): string[] {
    return [
      ...Object.values(this.programs).flatMap((program) => program.faults.map((fault) => `${program.name}: ${fault}`)),
      ...Object.entries(this.taps).flatMap(([name, tap]) =>
        tap.read().faults.map((fault) => `to the ${name}: ${fault}`),
      ),
    ];
  }

  /** Waits until no client is connected to any tier. */
  async untilIdle(): Promise<void> {
    await until('no client is connected to tier-1', async () => (await this.#clientCount()) === 0);
  }

  async #clientCount(): Promise<number> {
    const text = await (await fetch(`${this.adminUrls.tier1}/metrics`)).text();
    const counts = [...text.matchAll(/^causeway_client_connections(?:\{[^}]*\})? (\d+)$/gm)];
    if (counts.length === 0) throw new Error('no metric of the connections of clients');
    return counts.reduce((sum, [, count]) => sum + Number(count), 0);
  }

  async close(): Promise<void> {
    await Promise.all(Object.values(this.programs).map((program) => program.close()));
    for (const tap of Object.values(this.taps)) tap.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

async function startBridge(directory: string, config: object): Promise<{ program: Program; port: number }> {
  const program = new Program('bridge', 'bridge', { directory, config });
  const { port } = await program.line('bridge started');
  return { program, port: Number(port) };
}
