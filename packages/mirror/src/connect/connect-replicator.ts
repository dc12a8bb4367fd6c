/** MirrorMaker in a Kafka Connect cluster: its connectors run in one direction, or none of them does. */

import type { Prepare, Replicator } from '../replicator.ts';
import type { ConnectApi, MirrorConnector } from './connect-api.ts';
import { type ConnectorStatus, connectorState, isStopped } from './connector-state.ts';
import { offsetsAhead } from './offsets.ts';

/** A status follows what Connect has accepted within seconds; one that differs after this time was changed by an operator. */
const ACCEPTED_MS = 30_000;
const RESTART_MIN_MS = 1_000;
const RESTART_MAX_MS = 60_000;

/** What happened, once each. */
export type ConnectEvent =
  | { type: 'stop' | 'resume'; connector: string }
  | { type: 'positioned'; connector: string; partitionCount: number }
  | { type: 'restarted'; connector: string; reason: string };

export interface ConnectReplicatorOptions {
  api: ConnectApi;
  /** The cluster that is filled. */
  target: string;
  prepare: Prepare;
  onEvent: (event: ConnectEvent) => void;
  /** In milliseconds, of a clock that never goes back. */
  now: () => number;
}

interface Seen extends MirrorConnector {
  status: ConnectorStatus | undefined;
}

/** The last change that Connect accepted. */
interface Accepted {
  change: 'stop' | 'resume';
  atMs: number;
}

/** The last restart, and the pause until the next one. */
interface Restart {
  pauseMs: number;
  nextAtMs: number;
}

/**
 * Each call looks at the connectors and takes the steps that are possible now; the caller repeats it. Nothing is remembered that matters:
 * Kafka Connect keeps states and offsets, also beyond a restart of this program.
 */
export class ConnectReplicator implements Replicator {
  readonly #options: ConnectReplicatorOptions;
  readonly #accepted = new Map<string, Accepted>();
  readonly #restarts = new Map<string, Restart>();

  constructor(options: ConnectReplicatorOptions) {
    this.#options = options;
  }

  /**
   * Towards the state in which the connectors from `source` run, and those from other clusters do not. Returns whether it is reached.
   * Errors: `Error` with a sentence, of Kafka Connect or of `prepare`.
   */
  async run(source: string): Promise<boolean> {
    const connectors = await this.#look();
    const others = connectors.filter((connector) => connector.source !== source);
    if (!(await this.#stopAll(others))) return false;
    const own = connectors.filter((connector) => connector.source === source);
    if (!own.some(({ isSource }) => isSource)) {
      throw new Error(
        `Kafka Connect has no MirrorSourceConnector from ${source} to ${this.#options.target} (source.cluster.alias, target.cluster.alias)`,
      );
    }
    // Those that copy first: a checkpoint is of no use without syncs.
    const steps: boolean[] = [];
    for (const connector of own.toSorted((a, b) => Number(b.isSource) - Number(a.isSource))) {
      steps.push(await this.#stepToRun(connector));
    }
    return steps.every((isRunning) => isRunning);
  }

  /** Towards the state in which no connector copies into the target. Returns whether it is reached. Errors: as for `run`. */
  async stop(): Promise<boolean> {
    return await this.#stopAll(await this.#look());
  }

  /** The connectors continue: Kafka Connect keeps them. */
  async close(): Promise<void> {}

  async #look(): Promise<Seen[]> {
    const { api, target } = this.#options;
    const connectors = (await api.mirrorConnectors()).filter((connector) => connector.target === target);
    return await Promise.all(
      connectors.map(async (connector) => ({ ...connector, status: await api.status(connector.name) })),
    );
  }

  async #stepToRun({ name, isSource, source, status }: Seen): Promise<boolean> {
    const state = connectorState(status);
    const accepted = this.#lastAccepted(name);
    switch (state.kind) {
      case 'running':
        // The status has followed: from now on, a connector that stops was stopped by an operator.
        if (accepted === 'resume') this.#accepted.delete(name);
        // Or it has not stopped yet: a connector whose source is dead says for a minute that it runs, without tasks.
        return accepted !== 'stop' || state.taskCount > 0;
      case 'stopped':
        if (accepted === 'resume') return false;
        if (isSource) await this.#position(name, source);
        await this.#change(name, 'resume');
        return false;
      // Connect changes offsets of stopped connectors only.
      case 'paused':
        if (accepted !== 'stop') await this.#change(name, 'stop');
        return false;
      case 'failed':
        await this.#restart(name, state.reason);
        return false;
      case 'changing':
        return false;
    }
  }

  async #position(name: string, source: string): Promise<void> {
    const { api, prepare, onEvent } = this.#options;
    const positions = await prepare(source);
    const ahead = offsetsAhead(source, positions, await api.offsets(name));
    // Connect refuses an empty list.
    if (ahead.length === 0) return;
    await api.alterOffsets(name, ahead);
    onEvent({ type: 'positioned', connector: name, partitionCount: ahead.length });
  }

  async #restart(name: string, reason: string): Promise<void> {
    const { api, now, onEvent } = this.#options;
    const last = this.#restarts.get(name);
    if (last !== undefined && now() < last.nextAtMs) return;
    const isRepeated = last !== undefined && now() < last.nextAtMs + RESTART_MAX_MS;
    const pauseMs = isRepeated ? Math.min(RESTART_MAX_MS, 2 * last.pauseMs) : RESTART_MIN_MS;
    this.#restarts.set(name, { pauseMs, nextAtMs: now() + pauseMs });
    await api.restartFailed(name);
    onEvent({ type: 'restarted', connector: name, reason });
  }

  async #stopAll(connectors: readonly Seen[]): Promise<boolean> {
    const steps = await Promise.all(
      connectors.map(async ({ name, status }) => {
        const accepted = this.#lastAccepted(name);
        if (accepted !== 'resume' && isStopped(status, accepted === 'stop')) return true;
        if (accepted !== 'stop') await this.#change(name, 'stop');
        return false;
      }),
    );
    return steps.every((isDone) => isDone);
  }

  async #change(name: string, change: Accepted['change']): Promise<void> {
    const { api, now, onEvent } = this.#options;
    await api[change](name);
    this.#accepted.set(name, { change, atMs: now() });
    onEvent({ type: change, connector: name });
  }

  #lastAccepted(name: string): Accepted['change'] | undefined {
    const accepted = this.#accepted.get(name);
    const isRecent = accepted !== undefined && this.#options.now() < accepted.atMs + ACCEPTED_MS;
    return isRecent ? accepted.change : undefined;
  }
}
