/** Starts a bridge, and stops it in order. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { BridgeConfig } from './config.ts';
import { createParts, type Parts } from './parts.ts';
import { RequestWatcher } from './watch/watcher.ts';

/** How long the bridge accepts connections while it releases consumers: gateways confirm deliveries meanwhile. */
const RELEASE_MS = 1000;

/** A running bridge. */
export class Bridge {
  readonly port: number;
  /** The same port, unless the configuration has another for management. */
  readonly managementPort: number;
  readonly #parts: Parts;
  #closed: Promise<void> | undefined;

  private constructor(parts: Parts, ports: { api: number; management: number }) {
    this.#parts = parts;
    this.port = ports.api;
    this.managementPort = ports.management;
  }

  /** Listens at once, whether Kafka responds or not. Errors: as `net.Server`, such as `EADDRINUSE`; for unusable files. */
  static async start(config: BridgeConfig, log: Logger): Promise<Bridge> {
    const watcher = await RequestWatcher.start({
      config,
      onTrouble: (what, reason) =>
        reason === undefined ? log.info(`${what} is written again`) : log.warn({ reason }, `${what} cannot be written`),
    });
    const parts = createParts(config, log, watcher);
    try {
      const { host, port, backlog } = config.listen;
      const apiPort = await parts.servers.api.listen({ host, port, backlog });
      const managementPort = await parts.servers.management?.listen({
        host,
        port: config.management?.port ?? 0,
        backlog,
      });
      const ports = { api: apiPort, management: managementPort ?? apiPort };
      for (const certificates of parts.servers.certificates) certificates.start();
      parts.readiness.start();
      parts.clusters?.start();
      parts.sessionLog.start();
      parts.keyed?.start();
      parts.registry.start();
      parts.clients?.accounts.start();
      log.info({ host, port: ports.api, managementPort: ports.management }, 'bridge started');
      return new Bridge(parts, ports);
    } catch (error) {
      await Promise.all(parts.servers.all.map((server) => server.close()));
      await parts.clients?.accounts.close();
      await parts.clusters?.close();
      await parts.peer?.close();
      await parts.cluster.close();
      await watcher?.telemetry.close();
      throw error;
    }
  }

  get url(): string {
    const { servers, config } = this.#parts;
    const { host } = config.listen;
    return `${servers.api.scheme}://${host.includes(':') ? `[${host}]` : host}:${this.port}`;
  }

  /** Reopens the access log after rotation. */
  reopenLogs(): void {
    this.#parts.watcher?.telemetry.reopen();
  }

  /**
   * Stops in order, within `shutdown.graceMs`: responds to waiting polls, commits delivered records and releases consumers;
   * then accepts no more connections, and stores the records of the producer.
   */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const {
      config,
      log,
      servers,
      registry,
      sessionLog,
      producer,
      keyed,
      clients,
      readiness,
      cluster,
      clusters,
      peer,
      state,
    } = this.#parts;
    state.isShuttingDown = true;
    log.info('bridge stopping');
    const released = registry.close();
    // Clients and gateways confirm their last responses, over connections that may be new.
    await Promise.race([released, delay(Math.min(RELEASE_MS, config.shutdown.graceMs), undefined, { ref: false })]);
    for (const server of servers.all) server.stopAccepting();
    const drained = (async () => {
      await Promise.all(servers.all.map((server) => server.drained()));
      await Promise.all([producer.batcher.close(), keyed?.leave()]);
      await released;
      await clients?.accounts.close();
    })();
    const isInTime = await Promise.race([
      drained.then(() => true),
      delay(config.shutdown.graceMs, false, { ref: false }),
    ]);
    if (!isInTime)
      log.warn({ graceMs: config.shutdown.graceMs }, 'shutdown.graceMs is over: what is left is broken off');
    readiness.close();
    for (const certificates of servers.certificates) certificates.close();
    await Promise.all(servers.all.map((server) => server.close()));
    await sessionLog.close();
    await keyed?.close();
    await producer.client.close();
    await clusters?.close();
    await peer?.close();
    await cluster.close();
    await this.#parts.watcher?.telemetry.close();
    log.info('bridge stopped');
  }
}
