/** TLS and SASL of connections to Kafka: how the bridge authenticates itself and verifies brokers. */
import type { ConnectionOptions, ConnectionPool, SASLOptions } from '@platformatic/kafka';
import type { Logger } from 'pino';
import type { ConfigFinding, KafkaConfig } from '../../kafka-config.ts';
import { findSaslProblems, saslOptions } from './sasl.ts';
import { BrokerTls, findTlsProblems } from './tls.ts';

/** The options of a pool's connections, and a function that must be called with the pool. */
export interface SecuredPool {
  options: ConnectionOptions;
  watch: (pool: ConnectionPool) => void;
}

/** TLS and SASL of connections to brokers. */
export interface PoolSecurity {
  /** For one pool: each connection gets TLS options of its own when it is opened. */
  forPool(): SecuredPool;
}

type SecurityConfig = Pick<KafkaConfig, 'tls' | 'sasl' | 'identity' | 'connectTimeoutMs'>;

/** TLS and SASL of one bridge. */
export class KafkaSecurity implements PoolSecurity {
  readonly #tls: BrokerTls | undefined;
  readonly #sasl: SASLOptions | undefined;

  /** Logs once which settings are unsafe. Errors: see {@link findSecurityProblems}. */
  constructor({ tls, sasl, identity, connectTimeoutMs }: SecurityConfig, log: Logger) {
    if (tls.isEnabled) {
      this.#tls = new BrokerTls(tls, (change) => {
        if (change.kind === 'reloaded') log.info('certificates for Kafka read again');
        else log.warn({ reason: change.reason }, 'changed certificates for Kafka cannot be used');
      });
      if (!tls.isBrokerVerified) log.warn("brokers' certificates are not verified: anyone can impersonate a broker");
    }
    this.#sasl = saslOptions(sasl, { tokenTimeoutMs: connectTimeoutMs });
    if (this.#sasl !== undefined && !tls.isEnabled) {
      const whose = identity === 'client' ? 'credentials of clients' : 'credentials';
      log.warn({ mechanism: sasl.mechanism }, `SASL without TLS: ${whose} can be read on the network`);
    }
  }

  forPool(): SecuredPool {
    return this.#pool(this.#sasl);
  }

  /** The same TLS with another identity. */
  as(sasl: SASLOptions): PoolSecurity {
    return { forPool: () => this.#pool(sasl) };
  }

  #pool(sasl: SASLOptions | undefined): SecuredPool {
    const options: ConnectionOptions = sasl === undefined ? {} : { sasl };
    const tls = this.#tls;
    if (tls === undefined) return { options, watch: () => {} };
    // The library reads the options when it creates a connection, then reports the connection to its pool, and then connects.
    let next: object = {};
    Object.defineProperty(options, 'tls', {
      enumerable: true,
      get: () => {
        next = {};
        return next;
      },
    });
    return {
      options,
      watch: (pool) => pool.on('connecting', ({ broker }) => Object.assign(next, tls.options(broker.host))),
    };
  }
}

/** The files of certificates, keys and secrets of the section at `place` that cannot be used, with the reasons. */
export function findSecurityProblems(
  { tls, sasl }: Pick<KafkaConfig, 'tls' | 'sasl'>,
  place: readonly string[] = ['kafka'],
): ConfigFinding[] {
  return [...findTlsProblems(tls, place), ...findSaslProblems(sasl, place)];
}
