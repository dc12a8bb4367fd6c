/** Compares a body with its schema, and reports violations in the words of the peer API (`validation_errors`). */

import { isBase64 } from '../formats/base64.ts';
import { EmbeddedText, UNLISTED } from './body-tree.ts';
import type { SchemaNode } from './schema-node.ts';
import { runAtOnce } from './sliced-work.ts';

/** The size of sized integers, in bits. */
const INTEGER_BITS: Readonly<Record<string, number>> = { int32: 32, int64: 64 };

/**
 * Everything in which `value` violates `schema`, in the API's order; empty when it fits. At most {@link MAX_ENTRIES} entries
 * and one that counts the rest, so that the response stays small for every body.
 */
export function violations(schema: object, value: unknown): string[] {
  return runAtOnce(violationsOf(schema, value));
}

/** As {@link violations}, in slices. */
export function* violationsOf(schema: object, value: unknown): Generator<void, string[]> {
  const findings = new Findings();
  yield* check(schema as SchemaNode, value, findings);
  return findings.entries();
}

/** Elements of a list that are checked before other work gets its turn. */
const SLICE_ITEMS = 2000;
/** The most violations that a response lists: the first of them. */
export const MAX_ENTRIES = 100;
/** The longest part of a property's name that is shown: a name may be as long as the body. */
const MAX_SHOWN_NAME_LENGTH = 100;

/** The violations so far: the first entries as text, the number of the others. */
class Findings {
  readonly #first: string[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(entry: string): void {
    if (this.#count < MAX_ENTRIES) this.#first.push(entry);
    this.#count += 1;
  }

  /** Whether there are more than {@link MAX_ENTRIES}: the others were only counted. */
  addUnlisted(count: number): void {
    this.#count += count;
  }

  /** Inserts `entries` behind the first `count`: a summary stands before its details. */
  insertAt(count: number, entries: readonly string[]): void {
    this.#count += entries.length;
    if (count >= MAX_ENTRIES) return;
    this.#first.splice(count, 0, ...entries);
    if (this.#first.length > MAX_ENTRIES) this.#first.length = MAX_ENTRIES;
  }

  entries(): string[] {
    const moreCount = this.#count - this.#first.length;
    return moreCount === 0 ? this.#first : [...this.#first, `and ${moreCount} more`];
  }
}

function* check(node: SchemaNode, value: unknown, found: Findings): Generator<void, void> {
  if (!isContainer(node, value)) checkLeaf(node, value, found);
  else if (node.type === 'array') yield* checkItems(node, value as unknown[], found);
  else yield* checkProperties(node, value as Record<string, unknown>, found);
}

/** Whether a value has parts that are checked one by one. */
function isContainer({ type, oneOf }: SchemaNode, value: unknown): boolean {
  return (type === 'array' || type === 'object') && oneOf === undefined && hasType(type, value);
}

function checkLeaf(node: SchemaNode, value: unknown, found: Findings): void {
  if (node.oneOf !== undefined) {
    checkAlternatives(node.oneOf, value, found);
  } else if (node.type !== undefined && !hasType(node.type, value)) {
    found.add(wrongType(value, node.type));
    if (node.format !== undefined && node.type === 'integer') found.add(wrongInteger(node.format));
  } else if (node.type === 'integer') {
    checkInteger(node, value, found);
  } else if (node.format === 'byte' && typeof value === 'string' && !isBase64(value)) {
    found.add('String does not match format "byte"');
  }
}

function checkAlternatives(alternatives: readonly SchemaNode[], value: unknown, found: Findings): void {
  if (alternatives.some(({ type = '' }) => hasType(type, value))) return;
  found.add('Instance does not match exactly one subschema (0 matches)');
  for (const { type = '' } of alternatives) found.add(wrongType(value, type));
}

function checkInteger({ format }: SchemaNode, value: unknown, found: Findings): void {
  const bits = format === undefined ? undefined : INTEGER_BITS[format];
  if (format === undefined || bits === undefined || isInt32(value)) return;
  if (!/^-?\d+$/.test(exactText(value))) {
    found.add(wrongInteger(format));
    return;
  }
  // Exactly: the greatest int64 and the number after it are the same double.
  const exact = exactInteger(value);
  if (BigInt.asIntN(bits, exact) !== exact) found.add(wrongInteger(format));
}

function isInt32(value: unknown): boolean {
  return typeof value === 'number' && (value | 0) === value;
}

function* checkItems({ items }: SchemaNode, value: readonly unknown[], found: Findings): Generator<void, void> {
  if (items === undefined) return;
  for (const [index, item] of value.entries()) {
    if (index % SLICE_ITEMS === SLICE_ITEMS - 1) yield;
    const { count } = found;
    if (isContainer(items, item)) yield* check(items, item, found);
    else checkLeaf(items, item, found);
    summarize(items, found, { count, summary: 'Items did not match schema' });
  }
}

/** Whether a part fits, whose violations follow the first `count`; inserts the `summary` before them. */
function summarize(
  { $id }: SchemaNode,
  found: Findings,
  { count, summary }: { count: number; summary: string },
): boolean {
  if (found.count === count) return true;
  found.insertAt(count, $id === undefined ? [summary] : [summary, 'A subschema had errors']);
  return false;
}

function* checkProperties(
  node: SchemaNode,
  value: Record<PropertyKey, unknown>,
  found: Findings,
): Generator<void, void> {
  const { properties = {}, required = [] } = node;
  for (const name of required) {
    if (!Object.hasOwn(value, name)) found.add(`Instance does not have required property "${name}"`);
  }
  let bad: Set<string> | undefined;
  for (const name in properties) {
    const child = properties[name];
    if (child === undefined || !Object.hasOwn(value, name)) continue;
    const { count } = found;
    if (isContainer(child, value[name])) yield* check(child, value[name], found);
    else checkLeaf(child, value[name], found);
    if (summarize(child, found, { count, summary: `Property "${name}" does not match schema` })) continue;
    bad ??= new Set();
    bad.add(name);
  }
  if (node.additionalProperties !== false) return;
  for (const name of Object.keys(value)) {
    if (bad?.has(name) === true || !Object.hasOwn(properties, name)) {
      found.add(`Property "${shown(name)}" does not match additional properties schema`);
    }
  }
  found.addUnlisted((value[UNLISTED] as number | undefined) ?? 0);
}

function shown(name: string): string {
  return name.length <= MAX_SHOWN_NAME_LENGTH ? name : `${name.slice(0, MAX_SHOWN_NAME_LENGTH)}…`;
}

function hasType(type: string | readonly string[], value: unknown): boolean {
  if (typeof type !== 'string') return type.some((alternative) => hasType(alternative, value));
  const actual = typeName(value);
  return type === 'integer' ? actual === 'number' && Number.isInteger(Number(exactText(value))) : actual === type;
}

/** The digits of a number in a body, also of one that a double cannot hold. */
function exactText(value: unknown): string {
  return typeof value === 'object' ? (value as { rawJSON: string }).rawJSON : String(value);
}

/** A number that a double cannot hold exactly is an object of its own kind (`JSON.rawJSON`). */
function typeName(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (value instanceof EmbeddedText) return value.type;
  if (typeof value === 'object' && isRawNumber(value)) return 'number';
  return typeof value;
}

function isRawNumber(value: object): boolean {
  return Object.getPrototypeOf(value) === null;
}

/** The violation by a text where the schema has another type, as for query parameters. */
export function wrongType(value: unknown, expected: string | readonly string[]): string {
  const names = typeof expected === 'string' ? expected : expected.join(', ');
  return `Instance type ${typeName(value)} is invalid. Expected ${names}`;
}

/** An integer in a body, exactly; also one that is written with an exponent. */
export function exactInteger(value: unknown): bigint {
  const text = exactText(value);
  return /^-?\d+$/.test(text) ? BigInt(text) : BigInt(Number(text));
}

function wrongInteger(format: string): string {
  return `Integer does not match the format "${format}"`;
}
