/** Decodes request bodies: JSON as the API reads it, checked against the operation's schema. */
import { isUtf8 } from 'node:buffer';
import { BridgeError } from '../errors.ts';
import { markEnd } from '../formats/json.ts';
import { type BodyTree, readTree, type TreeOptions } from './body-tree.ts';
import { violationsOf } from './violations.ts';

/** Whether a request has no body. */
export function isEmptyBody(body: unknown): boolean {
  return !(body instanceof Buffer) || body.length === 0;
}

const { POSITIVE_INFINITY } = Number;
/** For bodies without records: they are short, and their lists have their own limits. */
const UNLIMITED: TreeOptions = {
  maxItems: POSITIVE_INFINITY,
  maxInnerItems: { ofList: POSITIVE_INFINITY, ofBody: POSITIVE_INFINITY },
  maxRecordBytes: 0,
};
/** Longer bodies take long enough that other work gets its turn between two steps. */
const LONG_BYTES = 131_072;

export function isLong(body: Buffer): boolean {
  return body.length > LONG_BYTES;
}

/**
 * Decodes a body and checks it, in slices. A number that a double cannot hold is a `JSON.rawJSON`.
 * Errors: `bodyMissing`, `bodyUndecodable`, `schemaViolation`.
 */
export function* decodeBody(body: unknown, schema: object): Generator<void, unknown> {
  const { value } = yield* decodeTree(body, schema, UNLIMITED);
  return value;
}

/** As {@link decodeBody}, for a body with keys and values, which stay as their bytes. */
export function* decodeTree(body: unknown, schema: object, options: TreeOptions): Generator<void, BodyTree> {
  if (!(body instanceof Buffer) || body.length === 0) throw new BridgeError('bodyMissing');
  if (!isUtf8(body)) throw new BridgeError('bodyUndecodable');
  const tree = yield* readTree(body, { schema, start: markEnd(body), ...options });
  if (tree === undefined) throw new BridgeError('bodyUndecodable');
  if (isLong(body)) yield;
  const validationErrors = yield* violationsOf(schema, tree.value);
  if (validationErrors.length > 0) throw new BridgeError('schemaViolation', { validationErrors });
  return tree;
}
