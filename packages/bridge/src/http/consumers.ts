/** Operations that create and delete consumers. */
import { peerOf } from '@causeway/http/connection.ts';
import { baseUri, nameProblem, UnknownSchemeError } from '@causeway/protocol/base-uri.ts';
import { ConsumerOptions, type CreatedConsumer } from '@causeway/protocol/consumers.ts';
import type { ConsumerRegistry } from '../consumers/registry.ts';
import { readFormat, readSessionOptions } from '../consumers/session-options.ts';
import { BridgeError } from '../errors.ts';
import { checkIdentity, type SessionIdentity } from '../ownership/session-identity.ts';
import { consumerBody, identityOf } from './consumer-request.ts';
import { respond, respondEmpty } from './responses.ts';
import type { ApiServer, Request } from './server.ts';

export function addConsumerRoutes(server: ApiServer, registry: ConsumerRegistry): void {
  server.on('createConsumer', async (request, reply) => {
    const body = (await consumerBody(request, ConsumerOptions, { isOptional: true })) as ConsumerOptions | undefined;
    if (!registry.isEnabled) throw new BridgeError('consumerDisabled');
    const created = await registry.inTime(() => createConsumer(registry, request, body ?? {}));
    return respond(reply, JSON.stringify(created));
  });
  server.on('deleteConsumer', async ({ url, sender }, reply) => {
    await registry.inTime(() => registry.delete(identityOf(url), sender));
    return respondEmpty(reply, 204);
  });
  server.onDelivered((url, mark) => registry.confirmDelivery(identityOf(url), mark));
}

async function createConsumer(
  registry: ConsumerRegistry,
  request: Request,
  body: ConsumerOptions,
): Promise<CreatedConsumer> {
  readFormat(body);
  const identity = { group: request.url.group ?? '', name: body.name ?? registry.generateName() };
  checkIdentity(identity);
  const problem = nameProblem(identity);
  if (problem !== undefined) throw new BridgeError('invalidValue', { message: `The name of a consumer ${problem}.` });
  registry.checkFree(identity, request.sender);
  const base_uri = baseUriOf(request, identity);
  await registry.create(identity, readSessionOptions(body, registry.defaults), request.sender);
  return { instance_id: identity.name, base_uri };
}

function baseUriOf({ headers, trust, raw: { socket } }: Request, identity: SessionIdentity): string {
  const { scheme } = peerOf(socket);
  // A check has set it for HTTP/1.0, which needs none.
  const { host = '' } = headers;
  try {
    return baseUri({ headers, host, isForwarded: trust !== 'client', scheme }, identity);
  } catch (error) {
    if (!(error instanceof UnknownSchemeError)) throw error;
    throw new BridgeError('internal', { message: error.message, cause: error });
  }
}
