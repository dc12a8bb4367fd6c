/** The errors of the gateway itself: one class, one table from code to HTTP status, one body. */
import type { ErrorBody } from '@causeway/protocol/errors.ts';

/** Why the gateway responds in place of a region. */
export type GatewayErrorCode =
  | 'malformedRequest'
  | 'methodNotAllowed'
  | 'methodNotImplemented'
  | 'urlTooLong'
  | 'versionNotSupported'
  | 'bodyTooLarge'
  | 'bodyTypeUnsupported'
  | 'transferCodingUnsupported'
  | 'headersTooLarge'
  | 'requestTimeout'
  | 'expectationFailed'
  | 'notFound'
  | 'notServedHere'
  | 'regionFailed'
  | 'targetsLost'
  | 'outOfConnections'
  | 'noRegionAvailable'
  | 'retryBudgetExhausted'
  | 'overloaded'
  | 'rulesNotEnforced'
  | 'consumerMoving'
  | 'slotMoving'
  | 'shuttingDown'
  | 'deadlineExceeded'
  | 'unknownRegion'
  | 'noAdminAddress'
  | 'unknownCluster'
  | 'clusterRefused'
  | 'lastRegion'
  | 'unauthorized'
  | 'tokenUnknown'
  | 'notPermitted'
  | 'changesOff'
  | 'hostNotAllowed'
  | 'crossSite'
  | 'originRejected'
  | 'loopDetected'
  | 'unauthenticated'
  | 'forbidden'
  | 'quotaExceeded'
  | 'authenticationUnavailable'
  | 'internal';

const STATUS: Readonly<Record<GatewayErrorCode, number>> = {
  malformedRequest: 400,
  methodNotAllowed: 405,
  methodNotImplemented: 501,
  urlTooLong: 414,
  versionNotSupported: 505,
  bodyTooLarge: 413,
  bodyTypeUnsupported: 415,
  transferCodingUnsupported: 501,
  headersTooLarge: 431,
  requestTimeout: 408,
  expectationFailed: 417,
  notFound: 404,
  notServedHere: 404,
  regionFailed: 502,
  targetsLost: 502,
  outOfConnections: 503,
  noRegionAvailable: 503,
  retryBudgetExhausted: 503,
  overloaded: 503,
  rulesNotEnforced: 502,
  consumerMoving: 503,
  slotMoving: 503,
  shuttingDown: 503,
  deadlineExceeded: 504,
  unknownRegion: 404,
  noAdminAddress: 404,
  unknownCluster: 404,
  clusterRefused: 409,
  lastRegion: 409,
  unauthorized: 401,
  tokenUnknown: 401,
  notPermitted: 403,
  changesOff: 403,
  hostNotAllowed: 421,
  crossSite: 403,
  originRejected: 403,
  loopDetected: 508,
  unauthenticated: 401,
  forbidden: 403,
  quotaExceeded: 429,
  authenticationUnavailable: 503,
  internal: 500,
};

/** Those of 5xx that a client can cause by itself, or that say nothing about a region. */
const OF_REQUEST: ReadonlySet<GatewayErrorCode> = new Set([
  'transferCodingUnsupported',
  'deadlineExceeded',
  'targetsLost',
  'outOfConnections',
  'overloaded',
  'consumerMoving',
  'slotMoving',
  'loopDetected',
  'authenticationUnavailable',
  'internal',
]);

/** The message is for the client. */
export class GatewayError extends Error {
  readonly code: GatewayErrorCode;
  /** For the `Retry-After` header (RFC 9110 §10.2.3), on responses with status 429 and 503 only. */
  readonly retryAfterSeconds: number | undefined;

  /** For the `Allow` header. */
  readonly allow: string | undefined;

  constructor(
    code: GatewayErrorCode,
    message: string,
    options?: { cause?: unknown; retryAfterSeconds?: number; allow?: string | undefined },
  ) {
    super(message, options);
    this.name = 'GatewayError';
    this.code = code;
    this.allow = options?.allow;
    this.retryAfterSeconds = options?.retryAfterSeconds ?? (STATUS[code] === 503 ? 1 : undefined);
  }

  get status(): number {
    return STATUS[this.code];
  }

  /** Whether the response has `causeway-fault: request` for the gateway before this one. */
  get isOfRequest(): boolean {
    return OF_REQUEST.has(this.code);
  }

  toBody(): ErrorBody {
    return { error_code: this.status, message: this.message };
  }
}
