/** Turns errors of the admin API into responses with the error body of the REST API. */
import { KAFKA_V2 } from '@causeway/protocol/content-types.ts';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { GatewayError } from '../errors.ts';

const NO_JSON = 'A body here needs the header "Content-Type: application/json".';

/** Handles every error that a route throws, and unknown paths. */
export function answerErrors(app: FastifyInstance): void {
  app.setErrorHandler((error: Error, _, reply) => answerError(reply, toGatewayError(error)));
  app.setNotFoundHandler((_, reply) => reply.code(404).type(KAFKA_V2).send('{"error_code":404,"message":"Not Found"}'));
}

export function answerError(reply: FastifyReply, error: GatewayError): FastifyReply {
  if (error.retryAfterSeconds !== undefined) void reply.header('retry-after', error.retryAfterSeconds);
  return reply.code(error.status).type(KAFKA_V2).send(JSON.stringify(error.toBody()));
}

function toGatewayError(error: Error & { statusCode?: number }): GatewayError {
  if (error instanceof GatewayError) return error;
  if (error.statusCode === 413) return new GatewayError('bodyTooLarge', error.message, { cause: error });
  if (error.statusCode === 415) return new GatewayError('bodyTypeUnsupported', NO_JSON, { cause: error });
  const code = error.statusCode !== undefined && error.statusCode < 500 ? 'malformedRequest' : 'internal';
  return new GatewayError(code, error.message, { cause: error });
}
