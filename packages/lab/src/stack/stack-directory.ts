/** The directory of a running stack, for one lab at a time; `stack.json` in it has the addresses and process ids. */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { LabError } from '../errors.ts';
import { isAlive } from './process.ts';
import type { RegionName } from './regions.ts';

/** The content of `stack.json`. A `pid` is null while that process does not run. */
export interface StackFile {
  kafka: KafkaEntry;
  /** With two clusters; `kafka` is then that of east. */
  clusters?: Record<RegionName, KafkaEntry>;
  tier1: GatewayEntry & {
    /** The bearer token for changes, also at the regions' gateways. */
    adminToken: string;
  };
  regions: Record<RegionName, { gateway: GatewayEntry; bridge: BridgeEntry }>;
  /** The secret that gateways show to each other and to bridges, for a part that is started by hand; not of a secure lab. */
  trustSecret?: string;
  /** Of a secure lab: the authority that clients trust, and a client certificate that every program accepts. */
  tls?: { caFile: string; certFile: string; keyFile: string };
  /** Of a lab with tenants: where each client's token is. */
  tenants?: { name: string; tokenFile: string }[];
  /** The directory of the YAML files in use. */
  config: string;
}

export interface KafkaEntry {
  bootstrap: string;
  pids: number[];
}

export interface BridgeEntry {
  url: string;
  pid: number | null;
}

export interface GatewayEntry extends BridgeEntry {
  admin: string;
}

export class StackDirectory {
  readonly path: string;
  readonly logs: string;
  readonly kafka: string;
  readonly stackFile: string;
  /** Of a lab with tenants. */
  readonly tenants: string;
  /** The YAML of a lab whose gateways make keys. */
  readonly exactlyOnce: string;
  readonly #lockFile: string;

  /**
   * Claims a directory and removes the files of an earlier lab.
   * Errors: `alreadyRunning` while another lab uses it.
   */
  constructor(path: string) {
    this.path = path;
    this.logs = join(path, 'logs');
    this.kafka = join(path, 'kafka');
    this.tenants = join(path, 'tenants');
    this.exactlyOnce = join(path, 'exactly-once');
    this.stackFile = join(path, 'stack.json');
    this.#lockFile = join(path, 'lab.pid');
    mkdirSync(path, { recursive: true });
    const owner = readPid(this.#lockFile);
    if (owner !== undefined && owner !== process.pid && isAlive(owner)) {
      throw new LabError(
        'alreadyRunning',
        `A lab is already running in ${path} (process ${owner}): stop it first. If that process is not a lab, remove ${this.#lockFile}.`,
      );
    }
    this.#removeClaims();
    writeFileSync(this.#lockFile, `${process.pid}\n`);
    rmSync(this.logs, { recursive: true, force: true });
    rmSync(this.kafka, { recursive: true, force: true });
    mkdirSync(this.logs);
    mkdirSync(this.kafka);
  }

  /** The files that only a running lab has: those that mark the directory as used, and its secrets. */
  get claims(): string[] {
    return [this.stackFile, this.#lockFile, this.tenants, ...this.#credentials];
  }

  /** The files of a secure lab. */
  get #credentials(): string[] {
    return [join(this.path, 'ca.pem'), join(this.path, 'tls')];
  }

  /** Replaces `stack.json` atomically. It contains secrets: other users cannot read it. */
  write(content: StackFile): void {
    const partFile = `${this.stackFile}.part`;
    writeFileSync(partFile, `${JSON.stringify(content, undefined, 2)}\n`, { mode: 0o600 });
    renameSync(partFile, this.stackFile);
  }

  removeStackFile(): void {
    rmSync(this.stackFile, { force: true });
  }

  /** Releases the directory; the logs stay. */
  release(): void {
    this.#removeClaims();
  }

  #removeClaims(): void {
    for (const path of this.claims) rmSync(path, { recursive: true, force: true });
  }
}

function readPid(file: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(file, 'utf8'), 10);
    return pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}
