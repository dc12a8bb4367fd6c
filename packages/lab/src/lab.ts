/** One run of the lab: starts the system and the traffic, kills and restores regions, checks the ledger, stops everything. */
import { relative, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { assertNever } from '@causeway/protocol/assert-never.ts';
import type { LabOptions } from './arguments.ts';
import { type RegionState, RegionSwitch } from './chaos/region-switch.ts';
import { runSchedule, type ScheduledAction } from './chaos/schedule.ts';
import { LabError } from './errors.ts';
import { changeCluster } from './stack/cluster-changes.ts';
import { otherThan } from './stack/cluster-pair.ts';
import { defaultPorts } from './stack/ports.ts';
import { REGION_NAMES, type RegionName } from './stack/regions.ts';
import { type Stack, startStack } from './stack/stack.ts';
import type { StackEvent } from './stack/stack-options.ts';
import { formatBanner } from './terminal/banner.ts';
import { formatError, formatLiveLine, formatProcessEvent, formatRegions, type Paint } from './terminal/format.ts';
import type { Screen } from './terminal/screen.ts';
import { DRAIN_TIMEOUT_MS } from './traffic/traffic.ts';
import { workloadOf } from './workload.ts';

const LIVE_INTERVAL_MS = 1_000;
/** Without a terminal, one in this many live lines is printed. */
const PLAIN_EVERY = 5;
/** Time between two requests for a change of the active cluster. */
const CHANGE_AGAIN_MS = 1_000;
/** A user who stops the lab does not wait longer for missing records. */
const INTERRUPTED_DRAIN_TIMEOUT_MS = 3_000;
/** Without a terminal, the least time between lines about a download. */
const PLAIN_PROGRESS_INTERVAL_MS = 5_000;

/** `clean`: no fault, or stopped on request. */
export type LabOutcome = 'clean' | 'faulty';

export interface LabSurroundings {
  screen: Screen;
  /** The user's working directory; paths are shown relative to it. */
  directory: string;
  /** Whether keys reach {@link Lab.toggle}. */
  hasKeys: boolean;
}

export class Lab {
  readonly #options: LabOptions;
  readonly #screen: Screen;
  readonly #directory: string;
  readonly #hasKeys: boolean;
  readonly #paint: Paint;
  #stack: Stack | undefined;
  #switches: Record<RegionName, RegionSwitch> | undefined;
  #lastProgressAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: LabOptions, { screen, directory, hasKeys }: LabSurroundings) {
    this.#hasKeys = hasKeys;
    this.#options = options;
    this.#screen = screen;
    this.#directory = directory;
    this.#paint = (colour, text) => screen.style(colour, text);
  }

  /** Runs until the time is over or the signal. Errors: those of `startStack`, after everything is stopped. */
  async run(signal: AbortSignal): Promise<LabOutcome> {
    const {
      bootstrap,
      brokerCount,
      clusterCount,
      isSecure,
      isExactlyOnce,
      tenantCount,
      portBase,
      hasTraffic,
      directory,
    } = this.#options;
    this.#screen.print('Causeway: two regions behind one hostname, on this machine.\n');
    const stack = await startStack({
      bootstrap,
      brokerCount,
      clusterCount,
      isSecure,
      isExactlyOnce,
      tenantCount,
      signal,
      directory: directory === undefined ? undefined : resolve(this.#directory, directory),
      ports: defaultPorts({ brokerCount, clusterCount }, portBase),
      onEvent: (event) => this.#show(event),
    });
    try {
      this.#stack = stack;
      this.#switches = { east: this.#switch(stack, 'east'), west: this.#switch(stack, 'west') };
      this.#screen.status(undefined);
      this.#screen.print(this.#banner(stack));
      return hasTraffic ? await this.#runTraffic(stack, signal) : await this.#idle(signal);
    } finally {
      this.#stack = undefined;
      this.#switches = undefined;
      this.#screen.status(undefined);
      this.#screen.print('Stopping.');
      await stack.close();
      this.#screen.status(undefined);
      this.#screen.print('Everything is stopped.');
    }
  }

  /** Promotes the cluster that stands by. Does nothing before everything is up, or with one cluster. */
  promote(): void {
    const active = this.#stack?.replication?.active;
    if (active !== undefined) void this.#changeCluster(otherThan(active), 'promote', { isRepeated: false });
  }

  /** Kills a region that is up, restores one that is down. Does nothing before everything is up. */
  toggle(region: RegionName): void {
    void this.#switches?.[region].toggle();
  }

  async #runTraffic(stack: Stack, signal: AbortSignal): Promise<LabOutcome> {
    const workload = workloadOf(stack, { isExactlyOnce: this.#options.isExactlyOnce });
    this.#screen.print(workload.introduction);
    this.#screen.status('The consumers join their group …');
    await workload.start(signal);
    const elapsed = stopwatch();
    let lineCount = 0;
    await this.#untilEnd(signal, () => {
      const line = formatLiveLine(elapsed(), workload.counts(), {
        regions: this.#regionStates(),
        clusters: stack.replication && { active: stack.replication.active, lag: stack.replication.status },
        paint: this.#paint,
        columns: this.#screen.columns,
      });
      lineCount += 1;
      if (this.#screen.isTerminal) this.#screen.status(line);
      else if (lineCount % PLAIN_EVERY === 0) this.#screen.print(line);
    });
    this.#screen.status('Waiting for the last records, then reading Kafka back …');
    const { readBackFailures } = await workload.finish(
      signal.aborted ? INTERRUPTED_DRAIN_TIMEOUT_MS : DRAIN_TIMEOUT_MS,
    );
    this.#screen.status(undefined);
    const { table, isGood, sentence } = workload.result(this.#paint);
    this.#screen.print(table);
    for (const failure of readBackFailures) this.#screen.print(`  ${formatError(failure)}`);
    this.#screen.print(`  ${this.#paint(isGood ? 'green' : 'red', sentence)}\n`);
    return isGood || signal.aborted ? 'clean' : 'faulty';
  }

  async #idle(signal: AbortSignal): Promise<LabOutcome> {
    const elapsed = stopwatch();
    await this.#untilEnd(signal, () => {
      const regions = formatRegions(this.#regionStates(), this.#paint);
      this.#screen.status(`${Math.round(elapsed() / 1_000)} s  no traffic  ${regions}`);
    });
    return 'clean';
  }

  /** Runs the schedule and shows the live line. */
  async #untilEnd(signal: AbortSignal, onTick: () => void): Promise<void> {
    const { seconds, schedule } = this.#options;
    const end = new AbortController();
    const over = AbortSignal.any([signal, end.signal]);
    const ticker = setInterval(onTick, LIVE_INTERVAL_MS);
    const performing = runSchedule(schedule, { perform: (action) => this.#perform(action), signal: over });
    try {
      await untilAborted(over, seconds === undefined ? undefined : seconds * 1_000);
    } finally {
      clearInterval(ticker);
      end.abort();
      await performing;
    }
  }

  #perform({ action, region }: ScheduledAction): void {
    const regionSwitch = this.#switches?.[region];
    switch (action) {
      case 'kill':
        void regionSwitch?.kill();
        return;
      case 'restore':
        void regionSwitch?.restore();
        return;
      case 'promote':
      case 'rejoin':
        void this.#changeCluster(region, action, { isRepeated: true });
        return;
      default:
        assertNever(action);
    }
  }

  /** `isRepeated`: until it succeeds. A schedule cannot know when a region that is restored is ready. */
  async #changeCluster(
    region: RegionName,
    change: 'promote' | 'rejoin',
    { isRepeated }: { isRepeated: boolean },
  ): Promise<void> {
    let lastRefusal: string | undefined;
    while (this.#stack !== undefined) {
      try {
        this.#screen.print(`  ${await changeCluster(this.#stack, region, change)}`);
        return;
      } catch (error) {
        const refusal = formatError(error);
        if (refusal !== lastRefusal) this.#screen.print(`  ${refusal}`);
        lastRefusal = refusal;
      }
      if (!isRepeated) return;
      await delay(CHANGE_AGAIN_MS);
    }
  }

  #switch(stack: Stack, region: RegionName): RegionSwitch {
    const onError = (error: unknown): void => {
      // A region that is being restored when the lab stops is not reported.
      if (!(error instanceof LabError && error.code === 'stopped')) this.#screen.print(formatError(error));
    };
    return new RegionSwitch({ stack, region, onError });
  }

  #regionStates(): Record<RegionName, RegionState> {
    const states = REGION_NAMES.map((name) => [name, this.#switches?.[name].state ?? 'down']);
    return Object.fromEntries(states) as Record<RegionName, RegionState>;
  }

  #show(event: StackEvent): void {
    if (event.type === 'progress') this.#showProgress(event.text, event.isUpdate);
    // The first start of a part is reported when the part is ready.
    else if (event.type === 'started' && !event.isRestart) this.#screen.status(`  ${event.name} is starting …`);
    else if (event.type === 'exited')
      this.#screen.print(formatProcessEvent({ ...event, logFile: this.#shown(event.logFile) }, this.#paint));
    else this.#screen.print(formatProcessEvent(event, this.#paint));
  }

  #showProgress(text: string, isUpdate: boolean): void {
    if (!isUpdate) {
      this.#screen.print(`  ${text}`);
    } else if (this.#screen.isTerminal) {
      this.#screen.status(`  ${text}`);
    } else if (performance.now() - this.#lastProgressAtMs >= PLAIN_PROGRESS_INTERVAL_MS) {
      this.#lastProgressAtMs = performance.now();
      this.#screen.print(`  ${text}`);
    }
  }

  /** A path relative to the user's directory. */
  #shown(path: string): string {
    const short = relative(this.#directory, path);
    return short.startsWith('..') ? path : short;
  }

  #shownTenant({ tenants, directory }: Stack): { tokens: string; name: string } | undefined {
    const [tenant] = tenants?.all ?? [];
    return tenant && { tokens: this.#shown(directory.tenants), name: tenant.name };
  }

  #banner(stack: Stack): string {
    return formatBanner(stack, {
      hasKeys: this.#hasKeys,
      paths: {
        config: this.#shown(stack.configDirectory),
        logs: this.#shown(stack.directory.logs),
        stackFile: this.#shown(stack.directory.stackFile),
        ca: stack.credentials && this.#shown(stack.credentials.caFile),
        tenant: this.#shownTenant(stack),
      },
    });
  }
}

function stopwatch(): () => number {
  const startedAtMs = performance.now();
  return () => performance.now() - startedAtMs;
}

/** Waits for the signal, at most `timeoutMs` if that is given. */
async function untilAborted(signal: AbortSignal, timeoutMs: number | undefined): Promise<void> {
  if (timeoutMs !== undefined) {
    await delay(timeoutMs, undefined, { signal }).catch(() => {});
    return;
  }
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => resolve(), { once: true });
  await promise;
}
