/** How the bridge speaks HTTP: TLS, origins of pages, limits. Keys, bounds and defaults, and what only code can check. */
import { type CorsConfig, checkCors } from '@causeway/config/cors.ts';
import type { ListenTls } from '@causeway/config/listen-tls.ts';
import { Section, type Static, Type } from '@causeway/config/schema.ts';
import { certificateProblem } from '@causeway/http/certificates.ts';
import { type ConfigFinding, milliseconds } from './kafka-config.ts';

export const CompressionConfig = Section(
  {
    isEnabled: Type.Boolean({
      description: 'Whether answers are compressed for clients that ask for it by Accept-Encoding.',
      default: true,
    }),
    minBytes: Type.Integer({
      description: 'Shortest answer that is compressed, in bytes.',
      default: 1024,
      minimum: 0,
    }),
  },
  { description: 'Compression of answers. Request bodies that are compressed (Content-Encoding) are always decoded.' },
);

export const LimitsConfig = Section(
  {
    maxUrlBytes: Type.Integer({
      description: 'Longest URL with its query; longer ones are refused with 414.',
      default: 4096,
      minimum: 256,
      maximum: 1_048_576,
    }),
    maxHeaderBytes: Type.Integer({
      description: 'Longest headers, the URL among them, without what gateways add; longer ones are refused with 431.',
      default: 16_384,
      minimum: 1024,
      maximum: 1_048_576,
    }),
    maxBodyBytes: Type.Integer({
      description: 'Largest request body; larger ones are refused with 413.',
      default: 16_777_216,
      minimum: 1024,
    }),
    maxControlBodyBytes: Type.Integer({
      description:
        'Largest request body of operations that store no records, as far as limits.maxBodyBytes allows it; larger ones are refused with 413.',
      default: 1_048_576,
      minimum: 1024,
    }),
    maxRecords: Type.Integer({
      description: 'Most records of one produce request; more are refused with 413.',
      default: 100_000,
      minimum: 1,
    }),
    headersTimeoutMs: milliseconds({
      description: "How long a request's headers may take to arrive, in milliseconds; 408 after it.",
      default: 10_000,
      maximum: 3_600_000,
    }),
    requestTimeoutMs: milliseconds({
      description: 'How long a request may take to arrive with its body, in milliseconds; 408 after it.',
      default: 60_000,
      maximum: 3_600_000,
    }),
    answerTimeoutMs: milliseconds({
      description:
        'A client that takes no byte of its answer for so long loses its connection, in milliseconds; records in it come again.',
      default: 60_000,
      maximum: 3_600_000,
    }),
    maxInFlightRequests: Type.Integer({
      description: 'Requests that may wait for their answers, polls among them; more are refused with 503.',
      default: 20_000,
      minimum: 1,
    }),
    maxInFlightBytes: Type.Integer({
      description:
        'Bytes of request bodies, and of answers that clients have not read, at a time; more are refused with 503. Slow clients make room for others.',
      default: 134_217_728,
      minimum: 1024,
    }),
  },
  { description: 'What clients may ask for.' },
);

export type CompressionConfig = Static<typeof CompressionConfig>;
export type LimitsConfig = Static<typeof LimitsConfig>;

/** What the schema cannot say. */
export function checkHttpConfig(config: {
  listen: { tls?: ListenTls };
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
      reason: 'must not be less than limits.maxBodyBytes, or such a body would never be taken',
    });
  }
  if (config.listen.tls?.keyPassphrase !== undefined && config.listen.tls.keyPassphraseFile !== undefined) {
    problems.push({ path: ['listen', 'tls', 'keyPassphraseFile'], reason: 'keyPassphrase says it already' });
  }
  problems.push(...checkCors(config.cors));
  return problems;
}

/** Why the listener cannot use its certificate, which needs its files. */
export function findCertificateProblems(tls: ListenTls | undefined): ConfigFinding[] {
  const problem = tls === undefined ? undefined : certificateProblem(tls);
  return problem === undefined ? [] : [{ path: ['listen', 'tls'], reason: `cannot be used: ${problem}` }];
}
