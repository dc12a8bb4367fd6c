/** Operations about the API itself: its version and its description. */
import { openApiDocument } from '@causeway/protocol/openapi.ts';
import { respond, respondLong } from './responses.ts';
import type { ApiServer } from './server.ts';

export function addInfoRoutes(server: ApiServer, version: string): void {
  const info = JSON.stringify({ bridge_version: version });
  server.on('info', async (_request, reply) => respond(reply, info, 'application/json'));
  const document = openApiDocument(version);
  const documentText = JSON.stringify(document);
  for (const operation of ['openapi', 'openapiv3'] as const) {
    server.on(operation, async ({ headers, trust }, reply) => {
      const basePath = trust === 'client' ? undefined : (headers['x-forwarded-path'] ?? headers['x-forwarded-prefix']);
      const text = basePath === undefined ? documentText : JSON.stringify({ ...document, basePath: first(basePath) });
      return respondLong(reply, text, 'application/json');
    });
  }
}

function first(header: string | string[]): string {
  return typeof header === 'string' ? header : (header[0] ?? '');
}
