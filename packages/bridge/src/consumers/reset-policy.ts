/** Where to read a partition without a committed offset, or with one that is out of range (`auto.offset.reset`). */

/** `by_duration:` with an ISO-8601 duration begins that long before now (KIP-1106). */
export type ResetPolicy = 'earliest' | 'latest' | 'none' | `by_duration:${string}`;

const BY_DURATION = 'by_duration:';

/** `undefined` for an invalid policy. */
export function resetPolicyOf(text: string): ResetPolicy | undefined {
  if (text === 'earliest' || text === 'latest' || text === 'none') return text;
  if (!text.startsWith(BY_DURATION)) return undefined;
  return parseDuration(text.slice(BY_DURATION.length)) === undefined ? undefined : (text as ResetPolicy);
}

/**
 * The time of the first record to read, on the clock of `nowMs`; `undefined` for a policy without a duration. Not before 1970:
 * Kafka gives negative times a meaning of their own.
 */
export function resetTimestampMs(policy: ResetPolicy, nowMs: number): bigint | undefined {
  if (!policy.startsWith(BY_DURATION)) return undefined;
  const nanoseconds = parseDuration(policy.slice(BY_DURATION.length)) ?? 0n;
  const timestampMs = (BigInt(nowMs) * NANOSECONDS_PER_MS - nanoseconds) / NANOSECONDS_PER_MS;
  return timestampMs < 0n ? 0n : timestampMs;
}

const NANOSECONDS_PER_MS = 1_000_000n;
const NANOSECONDS_PER_SECOND = 1_000_000_000n;
/** Seconds are a 64-bit integer in Java. */
const MAX_SECONDS = 2n ** 63n - 1n;
/** Length of a 64-bit integer with its sign, and room for leading zeros; a longer text is invalid. */
const MAX_LENGTH = 200;

/** `PnDTnHnMn.nS` as Java's `Duration.parse` reads it: each number with a sign of its own, letters in either case. */
const DURATION = /^([-+]?)P(?:([-+]?\d+)D)?(T(?:([-+]?\d+)H)?(?:([-+]?\d+)M)?(?:([-+]?\d+)(?:[.,](\d{0,9}))?S)?)?$/i;

/** In nanoseconds; `undefined` for a text that is not a duration, is negative, or too large for Java. */
function parseDuration(text: string): bigint | undefined {
  const match = text.length > MAX_LENGTH ? null : DURATION.exec(text);
  if (match === null) return undefined;
  const [, sign, days, time, hours, minutes, seconds, fraction = ''] = match;
  // Something must follow P, and something T.
  if (time?.length === 1 || (days === undefined && time === undefined)) return undefined;
  const [wholeDays, wholeHours, wholeMinutes, wholeSeconds] = [days, hours, minutes, seconds].map((part) =>
    BigInt((part ?? '0').replace('+', '')),
  ) as [bigint, bigint, bigint, bigint];
  const total = ((wholeDays * 24n + wholeHours) * 60n + wholeMinutes) * 60n + wholeSeconds;
  const nanoseconds = BigInt(fraction.padEnd(9, '0')) * (seconds?.startsWith('-') === true ? -1n : 1n);
  const signed = (total * NANOSECONDS_PER_SECOND + nanoseconds) * (sign === '-' ? -1n : 1n);
  return signed < 0n || signed / NANOSECONDS_PER_SECOND > MAX_SECONDS ? undefined : signed;
}
