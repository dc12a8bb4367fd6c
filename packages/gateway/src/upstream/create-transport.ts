/** Creates the transport to a target. HTTP/1.1 is the only one so far. */
import { ConnectionPool } from './connection-pool.ts';
import type { CreateTransport, TransportDefaults } from './transport.ts';

export function transportFactory(defaults: TransportDefaults): CreateTransport {
  return (options) => new ConnectionPool(options, defaults);
}
