/** The configuration in use, the values that requests derive from it, and the result of the last reload. */
import { randomBytes } from 'node:crypto';
import { type Impostor, TrustPolicy } from '@causeway/config/trust.ts';
import { Cors } from '@causeway/http/cors.ts';
import type { System } from '@causeway/protocol/admin/model.ts';
import { describeChanges, untilRestart } from './config/changes.ts';
import type { GatewayConfig } from './config/schema.ts';
import { type Identity, identityOf } from './exchange/identity.ts';

export interface RunningConfigOptions {
  config: GatewayConfig;
  /** Named in the status; it is not read here. */
  file: string;
  /** A peer claims to be a gateway without showing the secret. */
  onImpostor: (impostor: Impostor) => void;
  /** Milliseconds, never going back. */
  now: () => number;
}

/** Enough that no client guesses them. */
const INSTANCE_BYTES = 8;

export class RunningConfig {
  readonly file: string;
  readonly reloadCounts = { applied: 0, refused: 0 };
  /** Identifies this process in `Via`: random, so that no client can name it. */
  readonly #instance = randomBytes(INSTANCE_BYTES).toString('hex');
  readonly #options: RunningConfigOptions;
  #status: Omit<System['config'], 'file'> = { loadedAt: new Date().toISOString(), lastError: null };
  values: GatewayConfig;
  trust: TrustPolicy;
  /** `undefined` where bridges respond to pages of other origins. */
  cors: Cors | undefined;
  identity: Identity;

  constructor(options: RunningConfigOptions) {
    this.#options = options;
    this.file = options.file;
    this.values = options.config;
    this.trust = this.#trustPolicy();
    this.cors = corsOf(this.values);
    this.identity = this.#identityNow();
  }

  get status(): System['config'] {
    return { file: this.file, loadedAt: this.#status.loadedAt, lastError: this.#status.lastError };
  }

  /** Takes over a valid configuration, except for what only a restart changes. Returns the changes in words. */
  apply(config: GatewayConfig): string[] {
    const changes = describeChanges(this.values, config);
    this.values = untilRestart(this.values, config);
    this.trust = this.#trustPolicy();
    this.cors = corsOf(this.values);
    this.identity = this.#identityNow();
    this.reloadCounts.applied += 1;
    this.#status = { loadedAt: new Date().toISOString(), lastError: null };
    return changes;
  }

  /** Keeps everything: the file has an error. */
  refuse(reason: string): void {
    this.reloadCounts.refused += 1;
    this.#status = { loadedAt: this.#status.loadedAt, lastError: { at: new Date().toISOString(), reason } };
  }

  #identityNow(): Identity {
    const { gateway, trust } = this.values;
    return identityOf(
      { region: gateway.region, name: gateway.name },
      { secret: trust.secret, instance: this.#instance },
    );
  }

  #trustPolicy(): TrustPolicy {
    const { proxies, peers, secret } = this.values.trust;
    const { onImpostor, now } = this.#options;
    return new TrustPolicy({ proxies, peers, secret, onImpostor, now });
  }
}

function corsOf({ cors }: GatewayConfig): Cors | undefined {
  return cors.isEnabled ? new Cors(cors) : undefined;
}
