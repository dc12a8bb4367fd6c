/** The options with which a client creates a consumer, read and checked. */

import { type ConsumerOptions, ISOLATION_LEVELS, type IsolationLevel } from '@causeway/protocol/consumers.ts';
import { type FormatName, isFormat } from '@causeway/protocol/content-types.ts';
import { BridgeError } from '../errors.ts';
import { type ResetPolicy, resetPolicyOf } from './reset-policy.ts';

export interface SessionOptions {
  format: FormatName;
  resetPolicy: ResetPolicy;
  fetchMinBytes: number;
  requestTimeoutMs: number;
  isAutoCommit: boolean;
  isolationLevel: IsolationLevel;
}

export interface SessionDefaults {
  resetPolicy: ResetPolicy;
  fetchMinBytes: number;
  requestTimeoutMs: number;
  isolationLevel: IsolationLevel;
}

/** A value may be as long as its request's body: an error shows this much of it. */
const MAX_SHOWN_LENGTH = 200;
const MAX_INT32 = 2 ** 31 - 1;

/** The format alone: it is checked before anything else. Errors: `invalidValue`. */
export function readFormat({ format = 'binary' }: ConsumerOptions): FormatName {
  if (!isFormat(format)) throw new BridgeError('invalidValue', { message: 'Invalid format type.' });
  return format;
}

/** Errors: `invalidValue` with the text of Kafka's `ConfigException`. */
export function readSessionOptions(body: ConsumerOptions, defaults: SessionDefaults): SessionOptions {
  return {
    format: readFormat(body),
    resetPolicy: readResetPolicy(body['auto.offset.reset'], defaults.resetPolicy),
    fetchMinBytes: readInteger(body['fetch.min.bytes'], 'fetch.min.bytes') ?? defaults.fetchMinBytes,
    requestTimeoutMs:
      readInteger(body['consumer.request.timeout.ms'], 'request.timeout.ms') ?? defaults.requestTimeoutMs,
    isAutoCommit: body['enable.auto.commit'] ?? true,
    isolationLevel: readIsolationLevel(body['isolation.level'], defaults.isolationLevel),
  };
}

/** A client may choose to wait less than the bridge does for Kafka, and not longer: gateways do not wait, either. */
export function boundedOptions(options: SessionOptions, longestTimeoutMs: number): SessionOptions {
  if (options.requestTimeoutMs <= longestTimeoutMs) return options;
  return { ...options, requestTimeoutMs: longestTimeoutMs };
}

function readResetPolicy(value: string | undefined, fallback: ResetPolicy): ResetPolicy {
  if (value === undefined) return fallback;
  const policy = resetPolicyOf(value);
  if (policy !== undefined) return policy;
  throw invalid(
    'auto.offset.reset',
    value,
    `Invalid value \`${value}\` for configuration auto.offset.reset. The value must be either 'earliest', 'latest', 'none' or of the format 'by_duration:<PnDTnHnMn.nS.>'.`,
  );
}

function readInteger(value: number | undefined, key: string): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'number') throw invalid(key, rawDigits(value), 'Not a number of type INT');
  if (value > MAX_INT32 || value < -MAX_INT32 - 1) throw invalid(key, value, 'Not a number of type INT');
  if (value < 0) throw invalid(key, value, 'Value must be at least 0');
  return value;
}

/** The digits of a number that a double cannot hold (`JSON.rawJSON`). */
function rawDigits(value: unknown): string {
  return (value as { rawJSON: string }).rawJSON;
}

function readIsolationLevel(value: string | undefined, fallback: IsolationLevel): IsolationLevel {
  if (value === undefined) return fallback;
  const level = ISOLATION_LEVELS.find((known) => known === value);
  if (level !== undefined) return level;
  throw invalid('isolation.level', value, 'String must be one of: read_committed, read_uncommitted');
}

function invalid(key: string, value: unknown, reason: string): BridgeError {
  const text = String(value);
  const shown = text.length > MAX_SHOWN_LENGTH ? `${text.slice(0, MAX_SHOWN_LENGTH)}…` : text;
  return new BridgeError('invalidValue', { message: `Invalid value ${shown} for configuration ${key}: ${reason}` });
}
