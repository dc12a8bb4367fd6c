/** W3C Trace Context: the headers `traceparent` and `tracestate` (https://www.w3.org/TR/trace-context/). */

export const TRACEPARENT = 'traceparent';
export const TRACESTATE = 'tracestate';

/** The position in a trace that a `traceparent` names. */
export interface TraceParent {
  /** 32 hexadecimal digits, not all zero. */
  traceId: string;
  /** 16 hexadecimal digits, not all zero. */
  spanId: string;
  isSampled: boolean;
}

const FORM = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const NO_TRACE = '0'.repeat(32);
const NO_SPAN = '0'.repeat(16);
/** Reserved: a traceparent with this version is invalid (§3.2.2.1). */
const INVALID_VERSION = 'ff';
const SAMPLED_BIT = 1;

/** Parses a header. `undefined` when it is invalid or repeated: a new trace begins then (§3.2.2.3 and §4.3). */
export function parseTraceparent(text: string | readonly string[] | undefined): TraceParent | undefined {
  if (typeof text !== 'string') return undefined;
  const [, version, traceId, spanId, flags, rest] = FORM.exec(text) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  if (version === INVALID_VERSION || traceId === NO_TRACE || spanId === NO_SPAN) return undefined;
  // Later versions may add fields, the first may not.
  if (version === '00' && rest !== undefined) return undefined;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & SAMPLED_BIT) !== 0 };
}

export function formatTraceparent({ traceId, spanId, isSampled }: TraceParent): string {
  return `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}`;
}
