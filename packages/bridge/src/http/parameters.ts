/** Values of paths and queries, read as the API reads them: like JSON literals. */
import { readLiteral } from '@causeway/protocol/parameters.ts';
import { type ParsedUrl, queryParameter } from '@causeway/protocol/paths.ts';
import { BridgeError } from '../errors.ts';
import { wrongType } from './violations.ts';

export const MAX_INT32 = 2 ** 31 - 1;
/** The longest part of a value that an error shows: far more than any sensible number has. */
const MAX_SHOWN_LENGTH = 40;

/** `undefined` when absent. Errors: `schemaViolation`, also for more than `maximum`. */
export function integerParameter(target: string, name: string, { maximum }: { maximum: number }): number | undefined {
  const text = queryParameter(target, name);
  if (text === undefined) return undefined;
  const value = readLiteral(text);
  if (typeof value === 'number' && value > maximum) throw outOfBounds(text, `greater than ${maximum}`);
  return readInteger(text);
}

/** `false` when absent. Errors: `schemaViolation`. */
export function booleanParameter(target: string, name: string): boolean {
  const text = queryParameter(target, name);
  if (text === undefined || text === 'false') return false;
  if (text === 'true') return true;
  throw new BridgeError('schemaViolation', { validationErrors: [wrongType(readLiteral(text), 'boolean')] });
}

/** One of a few words; `undefined` when absent. Errors: `schemaViolation`. */
export function choiceParameter<Word extends string>(
  target: string,
  name: string,
  words: readonly Word[],
): Word | undefined {
  const text = queryParameter(target, name);
  if (text === undefined) return undefined;
  const word = words.find((candidate) => candidate === text);
  if (word !== undefined) return word;
  throw new BridgeError('schemaViolation', { validationErrors: [`${name} must be one of: ${words.join(', ')}`] });
}

/**
 * The number of a partition in a path.
 * Errors: `schemaViolation` for a negative number or no integer, `invalidValue` for one that is too large or spelled as a
 * fraction.
 */
export function partitionParameter({ partition: text = '' }: Pick<ParsedUrl, 'partition'>): number {
  const value = readInteger(text);
  if (value < 0) throw outOfBounds(text, 'less than 0');
  if (!/^[-+]?\d+$/.test(text) || value > MAX_INT32) {
    throw new BridgeError('invalidValue', { message: 'Specified partition is not a valid number' });
  }
  // Without the sign of -0.
  return Math.abs(value);
}

/** In the words of the peer API's JSON Schema validator. */
function outOfBounds(text: string, bound: string): BridgeError {
  return new BridgeError('schemaViolation', { validationErrors: [`${shown(text)} is ${bound}`] });
}

/** A client's value, as errors show it. */
export function shown(value: string | bigint): string {
  const text = String(value);
  return text.length <= MAX_SHOWN_LENGTH ? text : `${text.slice(0, MAX_SHOWN_LENGTH)}…`;
}

function readInteger(text: string): number {
  const value = readLiteral(text);
  if (typeof value === 'number' && Number.isInteger(value)) return value;
  throw new BridgeError('schemaViolation', { validationErrors: [wrongType(value, 'integer')] });
}
