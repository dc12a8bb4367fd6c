/** Operations about the bridge itself. */
import { openApiDocument } from '@causeway/protocol/openapi.ts';
import { BridgeError } from '../errors.ts';
import type { Metrics } from '../metrics.ts';
import { type ApiServer, answer, answerEmpty } from './server.ts';

export interface InfoDependencies {
  version: string;
  metrics: Metrics;
  /** Why the bridge is not ready; `undefined` when it is. */
  unreadyReason: () => string | undefined;
}

export function addInfoRoutes(server: ApiServer, { version, metrics, unreadyReason }: InfoDependencies): void {
  const info = JSON.stringify({ bridge_version: version });
  server.on('info', async (_request, reply) => answer(reply, info, 'application/json'));
  const document = openApiDocument(version);
  const documentText = JSON.stringify(document);
  for (const operation of ['openapi', 'openapiv3'] as const) {
    server.on(operation, async ({ headers }, reply) => {
      const basePath = headers['x-forwarded-path'] ?? headers['x-forwarded-prefix'];
      const text = basePath === undefined ? documentText : JSON.stringify({ ...document, basePath: first(basePath) });
      return answer(reply, text, 'application/json');
    });
  }
  server.on('healthy', async (_request, reply) => answerEmpty(reply, 200));
  server.on('ready', async (_request, reply) => {
    const reason = unreadyReason();
    if (reason !== undefined) throw new BridgeError('notReady', { message: reason });
    return answerEmpty(reply, 200);
  });
  server.on('metrics', async (_request, reply) => answer(reply, await metrics.text(), metrics.contentType));
}

function first(header: string | string[]): string {
  return typeof header === 'string' ? header : (header[0] ?? '');
}
