/** Lists the consumers of this bridge, for gateways on behalf of an operator. */
import { queryParameter } from '@causeway/protocol/paths.ts';
import type { ConsumerRegistry } from '../consumers/registry.ts';
import { integerParameter, MAX_INT32 } from './parameters.ts';
import { respond } from './responses.ts';
import type { ApiServer } from './server.ts';

const DEFAULT_LIMIT = 200;

export function addSessionsRoute(server: ApiServer, registry: ConsumerRegistry): void {
  server.onSessions((target, reply) => {
    const filter = queryParameter(target, 'filter') ?? '';
    const limit = Math.max(0, integerParameter(target, 'limit', { maximum: MAX_INT32 }) ?? DEFAULT_LIMIT);
    return respond(reply, JSON.stringify(registry.list({ filter, limit })), 'application/json');
  });
}
