/** The grammar of request targets: maps a method and a path to an operation and the names in the path. */
import {
  INTERNAL_OPERATIONS,
  type InternalOperation,
  type NamedOperation,
  OPERATIONS,
  type Operation,
} from './operations/table.ts';

/** A parsed request line. Names are percent-decoded; a name that the path does not have is `undefined`. */
export interface ParsedUrl {
  operation: Operation;
  /** Set for a request that only gateways send; `operation` is `unknown` then. */
  internal: InternalOperation | undefined;
  group: string | undefined;
  instance: string | undefined;
  topic: string | undefined;
  partition: string | undefined;
}

type Name = 'group' | 'instance' | 'topic' | 'partition';

/** A node in the tree of paths. */
interface Place {
  /** Children for fixed segments. */
  readonly literals: { readonly segment: string; readonly next: Place }[];
  /** The child for a name. */
  parameter: { readonly name: Name; readonly next: Place } | undefined;
  /** Operations of the path that ends here, by method. */
  readonly operations: Map<string, NamedOperation>;
  internal: (typeof INTERNAL_OPERATIONS)[number] | undefined;
}

const ROOT = treeOfPaths();

function treeOfPaths(): Place {
  const root = newPlace();
  for (const { operation, method, path } of OPERATIONS) placeOf(root, path).operations.set(method, operation);
  for (const entry of INTERNAL_OPERATIONS) placeOf(root, entry.path).internal = entry;
  return root;
}

function newPlace(): Place {
  return { literals: [], parameter: undefined, operations: new Map(), internal: undefined };
}

/** Finds or adds the node of a template. */
function placeOf(root: Place, template: string): Place {
  let place = root;
  for (const segment of template.split('/').filter((text) => text !== '')) {
    if (segment.startsWith('{')) {
      place.parameter ??= { name: segment.slice(1, -1) as Name, next: newPlace() };
      place = place.parameter.next;
    } else {
      let literal = place.literals.find((candidate) => candidate.segment === segment);
      if (literal === undefined) {
        literal = { segment, next: newPlace() };
        place.literals.push(literal);
      }
      place = literal.next;
    }
  }
  return place;
}

/**
 * Parses a request target in origin form (RFC 9112 §3.2.1), with or without a query. HEAD is parsed as GET. For an unknown
 * path, returns the names in the part that is known. Never throws.
 */
export function parseUrl(method: string, target: string): ParsedUrl {
  const parsed: ParsedUrl = {
    operation: 'unknown',
    internal: undefined,
    group: undefined,
    instance: undefined,
    topic: undefined,
    partition: undefined,
  };
  const segments = splitPath(target);
  if (segments === undefined) return parsed;
  let place = ROOT;
  for (const segment of segments) {
    const next = literalNext(place, segment);
    if (next !== undefined) {
      place = next;
      continue;
    }
    const { parameter } = place;
    if (parameter === undefined) return parsed;
    parsed[parameter.name] = segment;
    place = parameter.next;
  }
  parsed.operation = place.operations.get(method === 'HEAD' ? 'GET' : method) ?? 'unknown';
  if (place.internal?.method === method) parsed.internal = place.internal.internal;
  return parsed;
}

function literalNext({ literals }: Place, segment: string): Place | undefined {
  for (const literal of literals) if (literal.segment === segment) return literal.next;
  return undefined;
}

/** Every method of the API, in the order of `Allow`. */
export const METHODS = ['GET', 'HEAD', 'POST', 'DELETE'] as const;

/** The methods of a request target, limited to operations for which `isServed` holds; empty for an unknown path. */
export function allowedMethods(target: string, isServed: (operation: Operation) => boolean = () => true): string[] {
  return METHODS.filter((method) => {
    const { operation } = parseUrl(method, target);
    return operation !== 'unknown' && isServed(operation);
  });
}

const SLASH = 0x2f;
const QUESTION_MARK = 0x3f;
const PERCENT = 0x25;

/**
 * Splits a path into decoded segments; `undefined` for an invalid escape. Resolves dot segments first (RFC 3986 §5.2.4),
 * percent-encoded ones included (WHATWG URL), and drops empty segments afterwards. An encoded slash does not split.
 */
function splitPath(target: string): string[] | undefined {
  const segments: string[] = [];
  let hasEmpty = false;
  let hasEscape = false;
  let start = target.charCodeAt(0) === SLASH ? 1 : 0;
  for (let index = start; index <= target.length; index += 1) {
    const code = index === target.length ? QUESTION_MARK : target.charCodeAt(index);
    if (code === PERCENT) hasEscape = true;
    if (code !== SLASH && code !== QUESTION_MARK) continue;
    const raw = target.slice(start, index);
    const segment = hasEscape ? decode(raw) : raw;
    if (segment === undefined) return undefined;
    if (segment === '..') segments.pop();
    else if (segment !== '.') {
      if (segment === '') hasEmpty = true;
      segments.push(segment);
    }
    if (code === QUESTION_MARK) break;
    start = index + 1;
    hasEscape = false;
  }
  return hasEmpty ? segments.filter((segment) => segment !== '') : segments;
}

function decode(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}

/** The path of a consumer instance, percent-encoded. */
export function instancePath(group: string, instance: string): string {
  return `/consumers/${encodeURIComponent(group)}/instances/${encodeURIComponent(instance)}`;
}

/** The value of a query parameter. Names are case-insensitive, and the first of repeated ones wins. */
export function queryParameter(target: string, name: string): string | undefined {
  const start = target.indexOf('?');
  if (start === -1) return undefined;
  for (const [key, value] of new URLSearchParams(target.slice(start + 1))) {
    if (key.toLowerCase() === name) return value;
  }
  return undefined;
}
