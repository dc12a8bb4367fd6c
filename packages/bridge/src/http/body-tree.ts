/**
 * Reads a body by its schema: the values that the schema describes, and only the types of all others. So the memory for a
 * body depends on the schema, and not on what a client adds.
 */
import { JSON_BYTES } from '../formats/json-grammar.ts';
import { JsonScanner, type JsonText, PAUSED } from '../formats/json-scanner.ts';
import type { SchemaNode } from './schema-node.ts';

const { MALFORMED, CLOSING_BRACE, CLOSING_BRACKET, COLON, COMMA, OPENING_BRACE, OPENING_BRACKET, QUOTE } = JSON_BYTES;

/** Bytes that are read before other work gets its turn. */
const SLICE_BYTES = 65_536;
/** Containers around the list of a body: the body itself. */
const LIST_DEPTH = 1;
/** The most unknown names that are kept of a body; others are counted. More than a response shows. */
const MAX_UNKNOWN_NAMES = 1000;
/** The longest part of such a name that is kept. More than a response shows. */
const MAX_NAME_BYTES = 1000;

/** A key or value that is not parsed, but kept as its bytes. */
export class EmbeddedText {
  readonly text: JsonText;

  constructor(text: JsonText) {
    this.text = text;
  }

  get type(): 'string' | 'object' | 'array' {
    switch (this.text.bytes[this.text.start]) {
      case QUOTE:
        return 'string';
      case OPENING_BRACE:
        return 'object';
      default:
        return 'array';
    }
  }
}

/** The key for the number of unknown members that an object does not list, and of items that a list does not have. */
export const UNLISTED = Symbol('unlisted');

export interface BodyTree {
  value: unknown;
  /** Elements of the body's list that are not in the value, because they are beyond `maxItems`. */
  omittedCount: number;
  /** Items of all lists within the elements of the body's list, also those that are not in the value. */
  innerCount: number;
}

export interface TreeOptions {
  /** The most elements of the body's list that are read. */
  maxItems: number;
  /** The most items that are read of one list within such an element, and of all these lists together. */
  maxInnerItems: { ofList: number; ofBody: number };
  /** The longest key or value; longer ones cannot be stored. */
  maxRecordBytes: number;
}

/** Reads `body`, which is valid UTF-8, from `start`, in slices; `undefined` when it is not JSON. */
export function* readTree(
  body: Buffer,
  { schema, start, ...options }: TreeOptions & { schema: SchemaNode; start: number },
): Generator<void, BodyTree | undefined> {
  const reader = new TreeReader(body, start, options);
  const value = yield* reader.value(schema, 0);
  if (value === NOT_JSON || !reader.isAtEnd) return undefined;
  return { value, omittedCount: reader.omittedCount, innerCount: reader.innerCount };
}

const NOT_JSON = Symbol('not JSON');
const LONG = Symbol('long');

class TreeReader {
  readonly #body: Buffer;
  readonly #json: JsonScanner;
  readonly #maxItems: number;
  readonly #maxInnerItems: TreeOptions['maxInnerItems'];
  #at: number;
  #pauseAt: number;
  #unknownCount = 0;
  omittedCount = 0;
  innerCount = 0;

  constructor(body: Buffer, start: number, { maxItems, maxInnerItems, maxRecordBytes }: TreeOptions) {
    this.#body = body;
    this.#json = new JsonScanner(body, { maxValueBytes: maxRecordBytes });
    this.#maxItems = maxItems;
    this.#maxInnerItems = maxInnerItems;
    this.#at = start;
    this.#pauseAt = start + SLICE_BYTES;
  }

  get isAtEnd(): boolean {
    return this.#json.afterSpace(this.#at) === this.#body.length;
  }

  /** `node`: the schema of the value; `undefined` for a value that is skipped. */
  *value(node: SchemaNode | undefined, depth: number): Generator<void, unknown> {
    const value = this.#shortValue(node, depth);
    return value === LONG ? yield* this.#longValue(node, depth) : value;
  }

  /** {@link LONG} for a value that the schema describes member by member, or that must pause. */
  #shortValue(node: SchemaNode | undefined, depth: number): unknown {
    this.#at = this.#json.afterSpace(this.#at);
    if (this.#propertiesOf(node) !== undefined || this.#itemsOf(node) !== undefined) return LONG;
    const end = this.#json.valueEnd(this.#at, depth, this.#pauseAt);
    return end === PAUSED ? LONG : this.#ended(node, end);
  }

  *#longValue(node: SchemaNode | undefined, depth: number): Generator<void, unknown> {
    const properties = this.#propertiesOf(node);
    if (properties !== undefined) return yield* this.#object(properties, depth);
    const items = this.#itemsOf(node);
    if (items !== undefined) return yield* this.#array(items, depth);
    let end = PAUSED;
    while (end === PAUSED) {
      yield;
      this.#pauseAt += SLICE_BYTES;
      end = this.#json.resume(this.#pauseAt);
    }
    return this.#ended(node, end);
  }

  #ended(node: SchemaNode | undefined, end: number): unknown {
    if (end === MALFORMED) return NOT_JSON;
    this.#at = end;
    return node === undefined ? undefined : this.#leaf(node, end);
  }

  #propertiesOf(node: SchemaNode | undefined): Record<string, SchemaNode> | undefined {
    return this.#body[this.#at] === OPENING_BRACE ? node?.properties : undefined;
  }

  #itemsOf(node: SchemaNode | undefined): SchemaNode | undefined {
    return this.#body[this.#at] === OPENING_BRACKET ? node?.items : undefined;
  }

  *#object(properties: Record<string, SchemaNode>, depth: number): Generator<void, unknown> {
    const json = this.#json;
    const object: Record<PropertyKey, unknown> = {};
    this.#at = json.afterSpace(this.#at + 1);
    if (this.#takes(CLOSING_BRACE)) return object;
    while (true) {
      const name = this.#name();
      if (name === undefined || !this.#takes(COLON)) return NOT_JSON;
      const node = Object.hasOwn(properties, name) ? properties[name] : undefined;
      let value = this.#shortValue(node, depth + 1);
      if (value === LONG) value = yield* this.#longValue(node, depth + 1);
      if (value === NOT_JSON) return NOT_JSON;
      if (this.#at > this.#pauseAt) yield* this.#pause();
      if (node !== undefined) object[name] = value;
      else this.#addUnknown(object, name);
      if (this.#takes(CLOSING_BRACE)) return object;
      if (!this.#takes(COMMA)) return NOT_JSON;
    }
  }

  *#array(items: SchemaNode, depth: number): Generator<void, unknown> {
    const array: unknown[] & { [UNLISTED]?: number } = [];
    this.#at += 1;
    if (this.#takes(CLOSING_BRACKET)) return array;
    while (true) {
      const isInner = depth > LIST_DEPTH;
      const isKept = isInner ? this.#isInnerKept(array) : array.length < this.#maxItems;
      const node = isKept ? items : undefined;
      let value = this.#shortValue(node, depth + 1);
      if (value === LONG) value = yield* this.#longValue(node, depth + 1);
      if (value === NOT_JSON) return NOT_JSON;
      if (this.#at > this.#pauseAt) yield* this.#pause();
      if (isInner) this.innerCount += 1;
      if (isKept) array.push(value);
      else if (isInner) array[UNLISTED] = (array[UNLISTED] ?? 0) + 1;
      else this.omittedCount += 1;
      if (this.#takes(CLOSING_BRACKET)) return array;
      if (!this.#takes(COMMA)) return NOT_JSON;
    }
  }

  #isInnerKept({ length }: readonly unknown[]): boolean {
    const { ofList, ofBody } = this.#maxInnerItems;
    return length < ofList && this.innerCount < ofBody;
  }

  *#pause(): Generator<void, void> {
    yield;
    this.#pauseAt = this.#at + SLICE_BYTES;
  }

  /** A value of the type that is there; its content only where the schema describes it. */
  #leaf(node: SchemaNode, end: number): unknown {
    const { start } = this.#json;
    switch (this.#body[start]) {
      case QUOTE:
        if (node.oneOf !== undefined) return this.#embedded();
        return hasType(node, 'string') ? this.#string(start, end) : '';
      case OPENING_BRACE:
        return node.oneOf === undefined ? {} : this.#embedded();
      case OPENING_BRACKET:
        return node.oneOf === undefined ? [] : this.#embedded();
      case 0x74:
        return true;
      case 0x66:
        return false;
      case 0x6e:
        return null;
      default:
        return hasType(node, 'integer') ? exactNumber(this.#body.toString('latin1', start, end)) : 0;
    }
  }

  #embedded(): EmbeddedText {
    return new EmbeddedText(this.#json.snapshot());
  }

  #name(): string | undefined {
    const json = this.#json;
    const start = json.afterSpace(this.#at);
    if (this.#body[start] !== QUOTE) return undefined;
    json.hasBackslash = false;
    const end = json.stringEnd(start + 1);
    if (end === MALFORMED) return undefined;
    this.#at = end;
    if (end - start <= MAX_NAME_BYTES) return this.#string(start, end);
    // Longer than every name of the schema: the beginning is enough.
    return this.#body.toString('latin1', start + 1, start + MAX_NAME_BYTES);
  }

  #string(start: number, end: number): string {
    if (!this.#json.hasBackslash) return this.#body.toString('utf8', start + 1, end - 1);
    return JSON.parse(this.#body.toString('utf8', start, end)) as string;
  }

  #addUnknown(object: Record<PropertyKey, unknown>, name: string): void {
    if (this.#unknownCount < MAX_UNKNOWN_NAMES) {
      this.#unknownCount += 1;
      // Also where the name is `__proto__`.
      Object.defineProperty(object, name, { value: undefined, enumerable: true, configurable: true, writable: true });
    } else object[UNLISTED] = ((object[UNLISTED] as number | undefined) ?? 0) + 1;
  }

  /** Consumes a byte, after any space, if it comes next. */
  #takes(byte: number): boolean {
    const at = this.#json.afterSpace(this.#at);
    if (this.#body[at] !== byte) return false;
    this.#at = at + 1;
    return true;
  }
}

function hasType({ type }: SchemaNode, wanted: string): boolean {
  return type === wanted || (typeof type === 'object' && type.includes(wanted));
}

/** Not yet in TypeScript's library: https://tc39.es/proposal-json-parse-with-source/ */
const exactJson = JSON as unknown as { rawJSON(text: string): object };

/**
 * A number; as `JSON.rawJSON`, which keeps its spelling, where a double cannot hold it, and for an integer that is not
 * written as one (`1.0`, `1e3`).
 */
function exactNumber(text: string): unknown {
  const value = Number(text);
  const isHeld = Number.isSafeInteger(value) ? !NOT_AS_INTEGER.test(text) : Number.isFinite(value) && value % 1 !== 0;
  return isHeld ? value : exactJson.rawJSON(text);
}

const NOT_AS_INTEGER = /[.eE]/;
