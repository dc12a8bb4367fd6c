/** Operations for those who run the bridge: is it alive, can it serve, what does it count. */
import { BridgeError } from '../errors.ts';
import type { Metrics } from '../metrics.ts';
import { type ApiServer, answer, answerEmpty } from './server.ts';

export interface ManagementDependencies {
  metrics: Metrics;
  /** Why the bridge is not ready; `undefined` when it is. */
  unreadyReason: () => string | undefined;
}

export function addManagementRoutes(server: ApiServer, { metrics, unreadyReason }: ManagementDependencies): void {
  server.on('healthy', async (_request, reply) => answerEmpty(reply, 200));
  server.on('ready', async (_request, reply) => {
    const reason = unreadyReason();
    if (reason !== undefined) throw new BridgeError('notReady', { message: reason });
    return answerEmpty(reply, 200);
  });
  server.on('metrics', async (_request, reply) => answer(reply, await metrics.text(), metrics.contentType));
}
