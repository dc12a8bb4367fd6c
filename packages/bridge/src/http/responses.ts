/** Responds to requests: with text, without a body, with an error. */
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import { methodNotAllowed, refusalBody, refusalHeaders, statusOf } from '@causeway/http/refusal.ts';
import { isFromGateway } from '@causeway/http/trust.ts';
import { PROMOTION_HEADER } from '@causeway/protocol/clusters.ts';
import { CONTENT_CODINGS } from '@causeway/protocol/content-codings.ts';
import { KAFKA_V2 } from '@causeway/protocol/content-types.ts';
import type { ErrorBody } from '@causeway/protocol/errors.ts';
import type { Operation } from '@causeway/protocol/operations/table.ts';
import { allowedMethods } from '@causeway/protocol/paths.ts';
import { FAULT_HEADER, OWNER_HEADER } from '@causeway/protocol/routing.ts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { BridgeError } from '../errors.ts';
import { encode } from './response-coding.ts';

/** Responds with text. Bypasses Fastify, which would add a charset to the type and send head and body separately. */
export function respond(reply: FastifyReply, text: string | Buffer, contentType: string = KAFKA_V2): FastifyReply {
  reply.hijack();
  const headers = reply.getHeaders() as OutgoingHttpHeaders;
  headers['content-type'] = contentType;
  const bytes = Buffer.byteLength(text);
  headers['content-length'] = bytes;
  reply.watch?.responding(bytes);
  reply.raw.writeHead(reply.statusCode, headers).end(text);
  reply.load.holdUntilRead(reply.raw, bytes);
  return reply;
}

/** Responds with text that may be long: compressed if the client accepts it and it is long enough. */
export function respondLong(
  reply: FastifyReply,
  text: string | Buffer,
  contentType: string = KAFKA_V2,
): FastifyReply | Promise<FastifyReply> {
  const content = encoded(reply, text);
  if (!(content instanceof Promise)) return respond(reply, content, contentType);
  return content.then((bytes) => respond(reply, bytes, contentType));
}

/** The text in the coding that the client prefers; sets the headers for it. */
export function encoded(reply: FastifyReply, text: string | Buffer): string | Buffer | Promise<Buffer> {
  const { responseCoding } = reply;
  const bytes = Buffer.byteLength(text);
  const coding = responseCoding.codingFor(acceptedCodings(reply.request.headers), bytes);
  if (coding !== undefined || responseCoding.isNegotiated(bytes)) addVary(reply);
  if (coding === undefined) return text;
  reply.header('content-encoding', coding);
  return encode(text, coding);
}

function acceptedCodings({ 'accept-encoding': header }: IncomingHttpHeaders): string | undefined {
  return typeof header === 'string' ? header : undefined;
}

/** Keeps the value for other origins. */
function addVary(reply: FastifyReply): void {
  const before = reply.raw.getHeader('vary');
  reply.header('vary', before === undefined ? 'accept-encoding' : `${String(before)}, accept-encoding`);
}

/** Responds to HEAD where the response to GET cannot be known (RFC 9110 §9.3.2). */
export function respondHead(reply: FastifyReply, contentType: string): void {
  reply.hijack();
  reply.raw.writeHead(200, { ...(reply.getHeaders() as OutgoingHttpHeaders), 'content-type': contentType }).end();
}

/** Responds without a body. */
export function respondEmpty(reply: FastifyReply, status: 200 | 204): FastifyReply {
  // Fastify leaves it out of the response to HEAD.
  if (status === 200) reply.header('content-length', '0');
  return reply.code(status).send();
}

/** Responds with an error in the API's words. */
export function respondError(reply: FastifyReply, error: BridgeError): FastifyReply {
  const body: ErrorBody = { error_code: error.status, message: error.message };
  if (error.validationErrors !== undefined) body.validation_errors = error.validationErrors;
  if (error.retryAfterSeconds !== undefined) reply.header('retry-after', String(error.retryAfterSeconds));
  if (error.owner !== undefined) reply.header(OWNER_HEADER, error.owner);
  if (error.challenges !== undefined) reply.header('www-authenticate', error.challenges.join(', '));
  const isForGateway = isFromGateway(reply.trust, reply.request);
  if (isForGateway && error.fault !== undefined) reply.header(FAULT_HEADER, error.fault);
  if (isForGateway && error.promotion !== undefined) reply.header(PROMOTION_HEADER, error.promotion);
  if (error.code === 'contentCodingUnsupported') reply.header('accept-encoding', CONTENT_CODINGS.join(', '));
  reply.code(error.status);
  return respond(reply, JSON.stringify(body));
}

/** Responds 405 for a path with other methods, 503 for one that another port serves, 404 otherwise. */
export function respondUnknown(
  request: FastifyRequest,
  reply: FastifyReply,
  isServed: (operation: Operation) => boolean,
): FastifyReply {
  const { method, url } = request;
  if (allowedMethods(url).length === 0) return respondError(reply, new BridgeError('notFound'));
  const allowed = allowedMethods(url, isServed);
  if (allowed.length === 0) return reply.code(503).send();
  const refusal = methodNotAllowed(method, allowed);
  reply.code(statusOf(refusal)).headers(refusalHeaders(refusal));
  return respond(reply, refusalBody(refusal));
}
