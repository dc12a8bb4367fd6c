/** Values of paths and queries, read as the API reads them: like JSON literals. */
import { queryParameter } from '@causeway/protocol/paths.ts';
import { BridgeError } from '../errors.ts';
import { wrongType } from './violations.ts';

const MAX_INT32 = 2 ** 31 - 1;

/** `undefined` when absent. Errors: `schemaViolation`. */
export function integerParameter(target: string, name: string): number | undefined {
  const text = queryParameter(target, name);
  return text === undefined ? undefined : readInteger(text);
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
 * The number of a partition in a path; may be negative.
 * Errors: `schemaViolation` for what is no integer, `invalidValue` for one that is too large or not written as one.
 */
export function partitionParameter(params: Readonly<Record<string, string>>): number {
  const text = params['partition'] ?? '';
  const value = readInteger(text);
  if (!/^[-+]?\d+$/.test(text) || value > MAX_INT32 || value < -MAX_INT32 - 1) {
    throw new BridgeError('invalidValue', { message: 'Specified partition is not a valid number' });
  }
  return value;
}

function readInteger(text: string): number {
  const value = readLiteral(text);
  if (typeof value === 'number' && Number.isInteger(value)) return value;
  throw new BridgeError('schemaViolation', { validationErrors: [wrongType(value, 'integer')] });
}

/** A parameter is read like a JSON literal where it is one, and is a string otherwise. */
function readLiteral(text: string): unknown {
  if (text === 'true') return true;
  if (text === 'false') return false;
  if (text === 'null') return null;
  return /^[-+]?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?$/.test(text) ? Number(text) : text;
}
