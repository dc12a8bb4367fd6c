/** Making consumers and ending them. */
import { TLSSocket } from 'node:tls';
import { ConsumerOptions, type CreatedConsumer } from '@causeway/protocol/consumers.ts';
import type { ConsumerRegistry } from '../consumers/registry.ts';
import { checkIdentity } from '../consumers/session-identity.ts';
import { readFormat, readSessionOptions } from '../consumers/session-options.ts';
import { BridgeError } from '../errors.ts';
import { answer, answerEmpty } from './answers.ts';
import { baseUri } from './base-uri.ts';
import { consumerBody, identityOf } from './consumer-request.ts';
import type { ApiServer, Request } from './server.ts';

export function addConsumerRoutes(server: ApiServer, registry: ConsumerRegistry): void {
  server.on('createConsumer', async (request, reply) => {
    const body = (await consumerBody(request, ConsumerOptions, { isOptional: true })) as ConsumerOptions | undefined;
    if (!registry.isEnabled) throw new BridgeError('consumerDisabled');
    const created = await registry.inTime(() => createConsumer(registry, request, body ?? {}));
    return answer(reply, JSON.stringify(created));
  });
  server.on('deleteConsumer', async ({ params, sender }, reply) => {
    await registry.inTime(() => registry.delete(identityOf(params), sender));
    return answerEmpty(reply, 204);
  });
  server.onDelivered((params, mark) => registry.confirmDelivery(identityOf(params), mark));
}

async function createConsumer(
  registry: ConsumerRegistry,
  request: Request,
  body: ConsumerOptions,
): Promise<CreatedConsumer> {
  readFormat(body);
  const identity = { group: request.params['group'] ?? '', name: body.name ?? registry.generateName() };
  checkIdentity(identity);
  if (registry.has(identity)) throw new BridgeError('consumerExists');
  const queryStart = request.target.indexOf('?');
  const path = queryStart === -1 ? request.target : request.target.slice(0, queryStart);
  const { socket } = request.raw;
  const scheme = socket instanceof TLSSocket ? 'https' : 'http';
  // HTTP/1.0 needs no Host: then it is where the client came to.
  const host = request.headers.host ?? `${hostOf(socket.localAddress)}:${socket.localPort}`;
  const base_uri = baseUri(
    { headers: { ...request.headers, host }, isForwarded: request.trust !== 'client', path, scheme },
    identity.name,
  );
  await registry.create(identity, readSessionOptions(body, registry.defaults), request.sender);
  return { instance_id: identity.name, base_uri };
}

/** An address as it stands in a URL. */
function hostOf(address = ''): string {
  return address.includes(':') ? `[${address}]` : address;
}
