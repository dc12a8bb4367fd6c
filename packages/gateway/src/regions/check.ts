/** The probes of one target, with their own transport if the target has a health URL. */
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
  readonly onProbe: (result: ProbeResult) => void;
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

  constructor({ target, wanted, settings, createTransport, random, now, onProbe }: CheckOptions) {
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
    this.#probes = new HealthCheck({
      transport: () => transport ?? target.transport,
      path: healthCheck.path,
      intervalMs: healthCheck.intervalMs,
      timeoutMs: healthCheck.timeoutMs,
      // A regional gateway reports the health of its own region to other gateways, not that of the whole system.
      headers: [
        'user-agent',
        'causeway-health-check',
        GATEWAY_HEADER,
        formatHop({ region: gateway.region, name: gateway.name }),
        ...(trust.secret ? [SECRET_HEADER, trust.secret] : []),
      ],
      random,
      now,
      onResult: (result, durationMs) => {
        target.probeDurations.observe(durationMs);
        onProbe(result);
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
