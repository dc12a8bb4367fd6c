/** A pod: one container as a process at an address of its own, probed, restarted and ended as the kubelet does it. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Dispatcher } from 'undici';
import { LabProcess, type Reaper } from '../stack/process.ts';
import type { ConfigVolumes } from './config-volumes.ts';
import { commandOf } from './image.ts';
import {
  type Container,
  containerOf,
  DEFAULT_GRACE_PERIOD_SECONDS,
  type EnvironmentEntry,
  type PodTemplate,
  type Probe,
  portOf,
} from './objects.ts';
import { probe } from './prober.ts';
import type { OrdinalPodView } from './stateful-set.ts';

/** The first restart is at once; a container that ends again waits. */
const BACK_OFF_SECONDS = 10;
/** What a container gets after SIGTERM, however long `preStop` took. */
const LEAST_TERMINATION_SECONDS = 2;

export type PodEventType =
  | 'started'
  | 'ready'
  | 'notReady'
  | 'livenessFailed'
  | 'startupFailed'
  /** The pod was deleted. */
  | 'terminating'
  | 'sigterm'
  /** The grace period was over. */
  | 'killed'
  | 'exited'
  | 'gone';

export interface PodEvent {
  type: PodEventType;
  pod: string;
  /** Of a monotonic clock. */
  atMs: number;
}

/** Shared by the pods of a cluster. */
export interface PodContext {
  /** What a second of the objects takes. */
  secondMs: number;
  /** By the names of Secrets, and of keys in them. */
  secrets: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Of every container, such as Node's cache of compiled code. */
  env: Readonly<Record<string, string>>;
  volumes: ConfigVolumes;
  logDirectory: string;
  /** For probes. */
  agent: Dispatcher;
  reaper: Reaper;
  onEvent: (event: PodEvent) => void;
}

export interface PodSpec {
  name: string;
  /** Of a StatefulSet; 0 otherwise. */
  ordinal: number;
  address: string;
  revision: string;
  template: PodTemplate;
  minReadySeconds: number;
  /** Something changed that controllers or Services look at. */
  onChange: () => void;
}

export class Pod implements OrdinalPodView {
  readonly name: string;
  readonly ordinal: number;
  readonly address: string;
  readonly revision: string;
  readonly template: PodTemplate;
  readonly #spec: PodSpec;
  readonly #context: PodContext;
  readonly #container: Container;
  readonly #deletion = new AbortController();
  #process: LabProcess | undefined;
  #readySinceMs: number | undefined;
  #availableTimer: NodeJS.Timeout | undefined;
  #restartCount = 0;
  #isGone = false;
  #running: Promise<void> | undefined;

  constructor(spec: PodSpec, context: PodContext) {
    this.name = spec.name;
    this.ordinal = spec.ordinal;
    this.address = spec.address;
    this.revision = spec.revision;
    this.template = spec.template;
    this.#spec = spec;
    this.#context = context;
    this.#container = containerOf(spec.template);
  }

  get isReady(): boolean {
    return this.#readySinceMs !== undefined;
  }

  get isAvailable(): boolean {
    const { minReadySeconds } = this.#spec;
    const sinceMs = this.#readySinceMs;
    return sinceMs !== undefined && performance.now() - sinceMs >= minReadySeconds * this.#context.secondMs;
  }

  get isTerminating(): boolean {
    return this.#deletion.signal.aborted;
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  get restartCount(): number {
    return this.#restartCount;
  }

  get container(): Container {
    return this.#container;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** `kubectl delete pod`: `preStop`, SIGTERM, and SIGKILL after the grace period. */
  delete(): void {
    if (this.isTerminating) return;
    this.#emit('terminating');
    this.#deletion.abort();
    this.#spec.onChange();
  }

  /** SIGSTOP: the kernel accepts connections, and nothing responds. */
  freeze(): void {
    this.#process?.signal('SIGSTOP');
  }

  /** SIGKILL, and no restart. */
  async close(): Promise<void> {
    this.#deletion.abort();
    await this.#process?.kill();
    await this.#running;
  }

  /** Its state and the end of its log, for error messages. */
  describe(): string {
    const state = `ready: ${this.isReady}, terminating: ${this.isTerminating}, restarts: ${this.#restartCount}`;
    return `${this.name} (${state})\n${this.#process?.logTail() ?? ''}`;
  }

  async #run(): Promise<void> {
    const { signal } = this.#deletion;
    while (!signal.aborted) {
      await this.#runContainer();
      if (signal.aborted) break;
      // CrashLoopBackOff.
      if (this.#restartCount > 0) await pause(BACK_OFF_SECONDS * this.#context.secondMs, signal);
      this.#restartCount += 1;
    }
    this.#isGone = true;
    this.#emit('gone');
    this.#spec.onChange();
  }

  /** From the start of the process to its end, whatever ends it. */
  async #runContainer(): Promise<void> {
    const process = await this.#startProcess();
    this.#process = process;
    const exited = new AbortController();
    const unwell = new AbortController();
    void process.exited.then(() => exited.abort());
    const probing = this.#probe(exited.signal, unwell);
    const ending = AbortSignal.any([this.#deletion.signal, unwell.signal, exited.signal]);
    await aborted(ending);
    if (process.isRunning) await this.#terminate(process);
    await process.exited;
    await probing;
    this.#emit('exited');
    this.#setReady(false);
  }

  #startProcess(): Promise<LabProcess> {
    const { volumes, env, logDirectory, reaper } = this.#context;
    const { command, args } = commandOf(this.#container, (path) => this.#pathOf(path, volumes));
    const own = (this.#container.env ?? []).map((entry) => [entry.name, this.#valueOf(entry)]);
    this.#emit('started');
    return LabProcess.start({
      name: this.name,
      command,
      args,
      env: { ...env, ...Object.fromEntries(own) },
      logFile: join(logDirectory, `${this.name}.log`),
      reaper,
    });
  }

  #pathOf(path: string, volumes: ConfigVolumes): string {
    const mount = this.#container.volumeMounts?.find(({ mountPath }) => path.startsWith(`${mountPath}/`));
    const volume = this.template.spec.volumes?.find(({ name }) => name === mount?.name);
    if (mount === undefined || volume?.configMap === undefined) throw new TypeError(`nothing is mounted at ${path}`);
    return join(volumes.pathOf(volume.configMap.name), path.slice(mount.mountPath.length));
  }

  #valueOf({ name, value, valueFrom }: EnvironmentEntry): string {
    const field = valueFrom?.fieldRef?.fieldPath;
    const secret = valueFrom?.secretKeyRef;
    const found =
      field === 'metadata.name'
        ? this.name
        : field === 'status.podIP'
          ? this.address
          : secret === undefined
            ? value
            : this.#context.secrets[secret.name]?.[secret.key];
    if (found === undefined) throw new TypeError(`${this.name}: ${name} has no value`);
    return found;
  }

  /** The startup probe first, then the other two; readiness counts while the pod terminates, too. */
  async #probe(exited: AbortSignal, unwell: AbortController): Promise<void> {
    const { startupProbe, livenessProbe, readinessProbe } = this.#container;
    // Liveness counts until the container is about to end in any case.
    const alive = AbortSignal.any([exited, this.#deletion.signal, unwell.signal]);
    const fail = (type: 'startupFailed' | 'livenessFailed'): void => {
      this.#emit(type);
      unwell.abort();
    };
    if (startupProbe !== undefined) {
      const started = new AbortController();
      await this.#probeUntil(AbortSignal.any([alive, started.signal]), startupProbe, (verdict) => {
        if (verdict === 'success') started.abort();
        else fail('startupFailed');
      });
      if (!started.signal.aborted) return;
    }
    await Promise.all([
      livenessProbe &&
        this.#probeUntil(alive, livenessProbe, (verdict) => {
          if (verdict === 'failure') fail('livenessFailed');
        }),
      readinessProbe === undefined
        ? this.#setReady(true)
        : this.#probeUntil(exited, readinessProbe, (verdict) => this.#setReady(verdict === 'success')),
    ]);
  }

  #probeUntil(signal: AbortSignal, spec: Probe, onVerdict: (verdict: 'success' | 'failure') => void): Promise<void> {
    const { path, port } = spec.httpGet;
    const url = `http://${this.address}:${portOf(this.#container, port)}${path}`;
    const { secondMs, agent } = this.#context;
    return probe({ probe: spec, url, secondMs, agent, signal, onVerdict });
  }

  /** `preStop`, then SIGTERM; the grace period covers both. */
  async #terminate(process: LabProcess): Promise<void> {
    const { secondMs } = this.#context;
    const { terminationGracePeriodSeconds = DEFAULT_GRACE_PERIOD_SECONDS } = this.template.spec;
    const graceMs = terminationGracePeriodSeconds * secondMs;
    const preStopMs = (this.#container.lifecycle?.preStop?.sleep?.seconds ?? 0) * secondMs;
    const startedAtMs = performance.now();
    await endsWithin(process, Math.min(preStopMs, graceMs));
    if (process.isRunning) this.#emit('sigterm');
    process.signal('SIGTERM');
    const leftMs = graceMs - (performance.now() - startedAtMs);
    if (await endsWithin(process, Math.max(leftMs, LEAST_TERMINATION_SECONDS * secondMs))) return;
    this.#emit('killed');
    await process.kill();
  }

  #setReady(isReady: boolean): void {
    if (this.isReady === isReady) return;
    clearTimeout(this.#availableTimer);
    this.#readySinceMs = isReady ? performance.now() : undefined;
    const { minReadySeconds, onChange } = this.#spec;
    // A millisecond later, as a timer may fire early.
    if (isReady) this.#availableTimer = setTimeout(onChange, minReadySeconds * this.#context.secondMs + 1);
    this.#emit(isReady ? 'ready' : 'notReady');
    onChange();
  }

  #emit(type: PodEventType): void {
    this.#context.onEvent({ type, pod: this.name, atMs: performance.now() });
  }
}

/** Whether the process ended within that time. */
async function endsWithin(process: LabProcess, ms: number): Promise<boolean> {
  const timeout = new AbortController();
  await Promise.race([process.exited, pause(ms, timeout.signal)]);
  timeout.abort();
  return !process.isRunning;
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => {});
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
