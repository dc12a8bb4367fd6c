/** The probes of one target, with their own transport if the target has a health URL. */
import { PROMOTION_HEADER } from '@causeway/protocol/clusters.ts';
import { formatHop, GATEWAY_HEADER, SECRET_HEADER } from '@causeway/protocol/routing.ts';
import type { GatewayConfig } from '../config/schema.ts';
import type { CreateTransport, Transport } from '../upstream/transport.ts';
import type { ProbeResult } from './health.ts';
import { HealthCheck } from './health-check.ts';
import type { Target } from './target.ts';
import type { WantedTarget } from './wanted-targets.ts';

type Settings = Pick<GatewayConfig, 'healthCheck' | 'gateway' | 'trust' | 'upstream'>;

export interface CheckOptions {
  readonly target: Target;
  readonly wanted: WantedTarget;
  readonly settings: Settings;
  readonly createTransport: CreateTransport;
  /** Returns a random number from 0 up to 1. */
  readonly random: () => number;
  /** Milliseconds of the monotonic clock. */
  readonly now: () => number;
  /** The value of `causeway-promotion`; `undefined`: no promotion is known. */
  readonly promotion: () => string | undefined;
  /** `begunMs`: when the probe was sent, on the clock of `now`. */
  readonly onProbe: (result: ProbeResult, begunMs: number) => void;
}

/** The settings of a check: when they change, the check is replaced. */
export function checkKeyOf(
  { healthUrl, serverName }: WantedTarget,
  { healthCheck, gateway, trust, upstream }: Settings,
): string {
  return JSON.stringify([healthCheck, gateway, healthUrl, trust.secret, upstream, serverName]);
}

export class Check {
  readonly #probes: HealthCheck;
  readonly #transport: Transport | undefined;

  constructor({ target, wanted, settings, createTransport, random, now, promotion, onProbe }: CheckOptions) {
    const { healthCheck, gateway, trust, upstream } = settings;
    const { healthUrl: url, serverName } = wanted;
    const transport =
      url === target.url
        ? undefined
        : createTransport({
            url,
            serverName,
            connectTimeoutMs: healthCheck.timeoutMs,
            keepAliveMs: upstream.keepAliveMs,
            maxAgeMs: upstream.maxConnectionAgeMs,
            now,
          });
    this.#transport = transport;
    // A regional gateway reports the health of its own region to other gateways, not that of the whole system.
    const headers = [
      'user-agent',
      'causeway-health-check',
      GATEWAY_HEADER,
      formatHop({ region: gateway.region, name: gateway.name }),
      ...(trust.secret ? [SECRET_HEADER, trust.secret] : []),
    ];
    this.#probes = new HealthCheck({
      transport: () => transport ?? target.transport,
      path: healthCheck.path,
      intervalMs: healthCheck.intervalMs,
      timeoutMs: healthCheck.timeoutMs,
      headers: () => {
        const known = promotion();
        return known === undefined ? headers : [...headers, PROMOTION_HEADER, known];
      },
      random,
      now,
      onResult: (result, durationMs) => {
        target.probeDurations.observe(durationMs);
        onProbe(result, now() - durationMs);
      },
    });
    this.#probes.start();
  }

  /** Probes at once. */
  probeSoon(): void {
    this.#probes.probeSoon();
  }

  async close(): Promise<void> {
    this.#probes.close();
    await this.#transport?.destroy();
  }
}
