/** The configuration of the bridge's HTTP side: compression and limits, with the checks that a schema cannot express. */
import { type CorsConfig, checkCors } from '@causeway/config/cors.ts';
import { checkListenTls, type ListenTls } from '@causeway/config/listen-tls.ts';
import { Section, type Static, Type } from '@causeway/config/schema.ts';
import { certificateProblems } from '@causeway/http/certificates.ts';
import { type ConfigFinding, milliseconds } from './kafka-config.ts';

export const CompressionConfig = Section(
  {
    isEnabled: Type.Boolean({
      description: 'Whether responses are compressed for clients that accept it (Accept-Encoding).',
      default: true,
    }),
    minBytes: Type.Integer({
      description: 'The shortest response that is compressed, in bytes.',
      default: 1024,
      minimum: 0,
    }),
  },
  { description: 'Compression of responses. Compressed request bodies (Content-Encoding) are always decoded.' },
);

export const LimitsConfig = Section(
  {
    maxUrlBytes: Type.Integer({
      description: 'The longest URL with its query, in bytes; longer ones are refused with 414.',
      default: 4096,
      minimum: 256,
      maximum: 1_048_576,
    }),
    maxHeaderBytes: Type.Integer({
      description:
        'The longest head, in bytes: the URL and all headers that gateways did not add; longer ones are refused with 431.',
      default: 16_384,
      minimum: 1024,
      maximum: 1_048_576,
    }),
    maxBodyBytes: Type.Integer({
      description: 'The largest request body, in bytes; larger ones are refused with 413.',
      default: 16_777_216,
      minimum: 1024,
    }),
    maxControlBodyBytes: Type.Integer({
      description:
        'The largest request body of operations that store no records, in bytes; limits.maxBodyBytes bounds it, too. Larger ones are refused with 413.',
      default: 1_048_576,
      minimum: 1024,
    }),
    maxRecords: Type.Integer({
      description: 'The most records of one produce request; more are refused with 413.',
      default: 100_000,
      minimum: 1,
    }),
    headersTimeoutMs: milliseconds({
      description: 'How long the head of a request may take to arrive, in milliseconds; then the bridge responds 408.',
      default: 10_000,
      maximum: 3_600_000,
    }),
    requestTimeoutMs: milliseconds({
      description:
        'How long a request may take to arrive with its body, in milliseconds; then the bridge responds 408.',
      default: 60_000,
      maximum: 3_600_000,
    }),
    answerTimeoutMs: milliseconds({
      description:
        'How long a client may read no byte of its response, in milliseconds; then the bridge breaks the connection, and delivers the records in the response again.',
      default: 60_000,
      maximum: 3_600_000,
    }),
    maxInFlightRequests: Type.Integer({
      description: 'The most requests in flight, waiting polls among them; more are refused with 503.',
      default: 20_000,
      minimum: 1,
    }),
    maxInFlightBytes: Type.Integer({
      description:
        'The most held bytes: request bodies, and responses that clients have not read; more are refused with 503. Slow clients make room for others.',
      default: 134_217_728,
      minimum: 1024,
    }),
  },
  { description: 'Limits on requests and responses.' },
);

export type CompressionConfig = Static<typeof CompressionConfig>;
export type LimitsConfig = Static<typeof LimitsConfig>;

/** The checks that the schema cannot express. */
export function checkHttpConfig(config: {
  listen: { tls?: ListenTls };
  management?: { tls?: ListenTls };
  cors: CorsConfig;
  limits: LimitsConfig;
}): ConfigFinding[] {
  const problems: ConfigFinding[] = [];
  if (config.limits.headersTimeoutMs > config.limits.requestTimeoutMs) {
    problems.push({ path: ['limits', 'headersTimeoutMs'], reason: 'must be at most limits.requestTimeoutMs' });
  }
  if (config.limits.maxInFlightBytes < config.limits.maxBodyBytes) {
    problems.push({
      path: ['limits', 'maxInFlightBytes'],
      reason: 'must be at least limits.maxBodyBytes, or a body of that size would never be accepted',
    });
  }
  problems.push(
    ...checkListenTls(config.listen.tls, ['listen', 'tls']),
    ...checkListenTls(config.management?.tls, ['management', 'tls']),
    ...checkCors(config.cors),
  );
  return problems;
}

/** Why listeners cannot use their certificates. Reads the files. */
export function findCertificateProblems(config: {
  listen: { tls?: ListenTls };
  management?: { tls?: ListenTls };
}): ConfigFinding[] {
  return [
    ...certificateProblems(config.listen.tls, ['listen', 'tls']),
    ...certificateProblems(config.management?.tls, ['management', 'tls']),
  ];
}
