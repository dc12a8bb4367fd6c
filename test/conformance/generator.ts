/** Generates requests from an OpenAPI document: valid ones, and invalid ones with one wrong value or an arbitrary body. */
import fc from 'fast-check';
import { type DocumentedOperation, type OpenApiDocument, operationsOf } from '../harness/openapi-check.ts';
import type { PlainRequest } from './client.ts';

/** The part of JSON Schema that the document uses. */
interface Schema {
  $ref?: string;
  type?: string | readonly string[];
  format?: string;
  enum?: readonly unknown[];
  oneOf?: readonly Schema[];
  properties?: Readonly<Record<string, Schema>>;
  required?: readonly string[];
  items?: Schema;
}

/** Values for fields and parameters by name, so that requests refer to existing topics and consumers. */
export type Pools = Readonly<Record<string, fc.Arbitrary<unknown>>>;

/** Numbers that JavaScript does not produce; copied into the JSON unchanged. */
const RAW_NUMBERS = ['1e400', '-1e400', '9223372036854775807', '9223372036854775808', '1.0', '-0', '1e3', '0.5'];
const raw = (text: string): string => `raw:${text}`;
const HUGE_NUMBERS = [2 ** 31, -(2 ** 31) - 1, 2 ** 53, -(2 ** 63)];

const oddText = fc.oneof(
  fc.constantFrom(
    '',
    ' ',
    '.',
    '..',
    'null',
    'true',
    '0',
    '-1',
    '%',
    '/',
    '\u0000',
    '😀',
    '__proto__',
    'a'.repeat(300),
  ),
  fc.string({ unit: 'binary', maxLength: 12 }),
);
const oddValue: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(null, true, false, 0, -1, 1.5, [], {}, [null], { a: 1 }, ...HUGE_NUMBERS, ...RAW_NUMBERS.map(raw)),
  oddText,
  fc.jsonValue({ maxDepth: 3 }),
);

export class RequestGenerator {
  readonly #document: OpenApiDocument;
  readonly #pools: Pools;

  constructor(document: OpenApiDocument, pools: Pools) {
    this.#document = document;
    this.#pools = pools;
  }

  /** A request of any operation. `weights` (default: 4) make operations more or less frequent. */
  any(weights: Readonly<Record<string, number>> = {}): fc.Arbitrary<PlainRequest> {
    return fc.oneof(
      ...operationsOf(this.#document).map((operation) => ({
        arbitrary: this.of(operation),
        weight: weights[operation.operationId] ?? 4,
      })),
    );
  }

  of(operation: DocumentedOperation): fc.Arbitrary<PlainRequest> {
    return fc
      .record({ target: this.#target(operation), headers: this.#headers(operation), body: this.#body(operation) })
      .map(({ target, headers, body }) => ({ method: operation.method, target, headers, body }));
  }

  #target({ path, parameters }: DocumentedOperation): fc.Arbitrary<string> {
    const inPath = parameters.filter((parameter) => parameter.in === 'path');
    const inQuery = parameters.filter((parameter) => parameter.in === 'query');
    const values = fc.tuple(...inPath.map(({ name, schema }) => this.#parameter(name, schema)));
    const query = fc.tuple(
      ...inQuery.map(({ name, schema }) => fc.option(this.#parameter(name, schema).map((value) => `${name}=${value}`))),
      fc.option(fc.constantFrom('unknown=1', '&&', '=', '%zz', 'a=b=c'), { freq: 8 }),
    );
    return fc.tuple(values, query).map(([texts, queries]) => {
      const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
        return texts[inPath.findIndex((parameter) => parameter.name === name)] ?? '';
      });
      const given = queries.filter((text) => text !== null);
      return given.length === 0 ? filled : `${filled}?${given.join('&')}`;
    });
  }

  /** Percent-encoded. */
  #parameter(name: string, schema: Schema): fc.Arbitrary<string> {
    const known = this.#pools[name] ?? this.fitting(schema);
    return fc
      .oneof({ arbitrary: known, weight: 8 }, { arbitrary: oddText, weight: 1 })
      .map((value) => encodeURIComponent(String(value)));
  }

  #headers({ requestBody, responses }: DocumentedOperation): fc.Arbitrary<Record<string, string>> {
    const taken = Object.keys(requestBody?.content ?? {});
    const given = Object.keys(responses['200']?.content ?? {});
    const odd = fc.constantFrom('text/plain', '*/*', 'application/*;q=0.1', ';', 'application/json;charset=utf-16', '');
    const type = fc.oneof({ arbitrary: fc.constantFrom(...taken, 'x/y'), weight: 12 }, { arbitrary: odd, weight: 1 });
    const accept = fc.oneof(fc.constantFrom(...given, '*/*'), odd);
    return fc.record({ 'content-type': type, accept }, { requiredKeys: taken.length === 0 ? [] : ['content-type'] });
  }

  #body({ requestBody }: DocumentedOperation): fc.Arbitrary<Buffer | undefined> {
    const schema = Object.values(requestBody?.content ?? {})[0]?.schema;
    if (schema === undefined) return fc.option(fc.constant(Buffer.from('ignored')), { nil: undefined, freq: 9 });
    const fitting = this.fitting(schema);
    const broken = fc.tuple(fitting, fc.nat(), oddValue, fc.constantFrom('replace', 'remove', 'add')).map(breakOff);
    const json = fc.oneof({ arbitrary: fitting, weight: 8 }, { arbitrary: broken, weight: 4 }, oddValue).map(jsonOf);
    const noJson = fc.oneof(fc.uint8Array({ maxLength: 20 }).map(Buffer.from), oddText.map(Buffer.from));
    const cut = json.map((bytes) => bytes.subarray(0, Math.floor(bytes.length / 2)));
    const bytes = fc.oneof({ arbitrary: json, weight: 12 }, noJson, cut);
    return fc.option<Buffer, undefined>(bytes, { nil: undefined, freq: 15 });
  }

  /** Values that fit a schema of the document. */
  fitting(schema: Schema): fc.Arbitrary<unknown> {
    const { $ref, oneOf, enum: choices, type, format, items, properties } = schema;
    if ($ref !== undefined) return this.fitting(this.#document.components.schemas[$ref.split('/').at(-1) ?? ''] ?? {});
    if (choices !== undefined) return fc.constantFrom(...choices);
    if (oneOf !== undefined) return fc.oneof(...oneOf.map((alternative) => this.fitting(alternative)));
    if (Array.isArray(type)) return fc.oneof(...type.map((alternative) => this.fitting({ type: alternative })));
    switch (type) {
      case 'string':
        return format === 'byte' ? fc.base64String({ minLength: 4, maxLength: 12 }) : oddText;
      case 'integer':
        return fc.integer({ min: 0, max: 3 });
      case 'boolean':
        return fc.boolean();
      case 'null':
        return fc.constant(null);
      case 'array':
        return fc.array(this.fitting(items ?? {}), { maxLength: 3 });
      case 'object':
        return properties === undefined ? fc.dictionary(fc.string(), fc.jsonValue()) : this.#object(schema);
      default:
        return fc.jsonValue({ maxDepth: 2 });
    }
  }

  #object({ properties = {}, required = [] }: Schema): fc.Arbitrary<object> {
    const fields: Record<string, fc.Arbitrary<unknown>> = {};
    for (const [name, child] of Object.entries(properties)) fields[name] = this.#pools[name] ?? this.fitting(child);
    return fc.record<Record<string, unknown>, string>(fields, { requiredKeys: [...required] });
  }
}

/** Changes a value in one place. */
function breakOff([value, place, odd, how]: [unknown, number, unknown, string]): unknown {
  const copy: unknown = structuredClone(value);
  const places: { parent: Record<string, unknown>; key: string }[] = [];
  const visit = (parent: unknown): void => {
    if (typeof parent !== 'object' || parent === null) return;
    for (const key of Object.keys(parent)) {
      places.push({ parent: parent as Record<string, unknown>, key });
      visit((parent as Record<string, unknown>)[key]);
    }
  };
  visit(copy);
  const chosen = places[place % Math.max(1, places.length)];
  if (chosen === undefined) return how === 'add' ? { extra: odd } : odd;
  const { parent, key } = chosen;
  if (how === 'replace') parent[key] = odd;
  else if (how === 'add') parent[Array.isArray(parent) ? parent.length : 'extra'] = odd;
  else if (Array.isArray(parent)) parent.splice(Number(key), 1);
  else delete parent[key];
  return copy;
}

function jsonOf(value: unknown): Buffer {
  const text = JSON.stringify(value) ?? '';
  return Buffer.from(text.replaceAll(/"raw:([^"]*)"/g, '$1'));
}
