/**
 * Turns a YAML document into a value: follows aliases and merge keys (`<<`), and replaces environment variables by the type of the
 * place where they are used. Remembers where each key of the value stands in the file.
 */
import { type Alias, type Document, isAlias, isMap, isScalar, isSeq, type Node, visit, type YAMLMap } from 'yaml';
import { type Environment, substitute } from './environment.ts';
import type { TSchema } from './schema.ts';
import type { Place, SchemaNode } from './schema-place.ts';

/** Why a document has no value. */
export interface ValueProblem {
  readonly node: Node | undefined;
  readonly reason: string;
}

export interface ValueOptions {
  readonly schema: TSchema;
  /** `undefined` leaves variables as they are. */
  readonly env: Environment | undefined;
}

/** A key of a mapping, its own or a merged one. */
interface Entry {
  readonly key: string;
  readonly keyNode: Node | undefined;
  readonly valueNode: Node | undefined;
}

/** Values that aliases and merge keys may add to those that the file has. A few lines could make billions of them. */
const MAX_ADDED = 100_000;
/** Aliases within aliases. */
const MAX_DEPTH = 100;
const MERGE_KEY = '<<';
/** Sections of the file for its author: programs ignore them. */
const OWN_SECTION = /^x-/;

/** The file asks for too much by its aliases; nothing else in it matters. */
class TooMuchError extends Error {}

export class YamlValue {
  readonly #document: Document;
  readonly #options: ValueOptions;
  readonly #isFile: boolean;
  /** What each alias stands for. */
  readonly #targets = new Map<Alias, Node>();
  readonly #entries = new Map<YAMLMap, Entry[]>();
  readonly #problems = new Map<string, ValueProblem>();
  /** Aliases that are being followed. */
  readonly #open = new Set<Node>();
  /** Mappings whose value is under way. */
  readonly #building = new Set<YAMLMap>();
  #addedCount = 0;

  constructor(document: Document, options: ValueOptions) {
    this.#document = document;
    this.#options = options;
    this.#isFile = (options.schema as unknown as SchemaNode).type === 'object';
  }

  /** The problems of all calls of {@link build}. */
  get problems(): ValueProblem[] {
    return [...this.#problems.values()];
  }

  /** Returns a new value each time; `undefined` for an empty file. */
  build(): unknown {
    this.#addedCount = 0;
    try {
      this.#readAnchors();
      return this.#build(this.#document.contents, []) ?? undefined;
    } catch (error) {
      if (error instanceof TooMuchError) this.#report(undefined, error.message);
      else if (error instanceof RangeError) this.#report(undefined, 'values lie too deep within each other');
      else throw error;
      return undefined;
    }
  }

  /** The node that says where the deepest part of `path` stands that the file contains. */
  nodeAt(path: Place): Node | undefined {
    let node: Node | null | undefined = this.#document.contents;
    let found: Node | undefined;
    for (const key of path) {
      const at: Node | undefined = this.#followed(node);
      if (isMap(at)) {
        const entry = this.#entriesOf(at).find((candidate) => candidate.key === String(key));
        if (entry === undefined) break;
        found = entry.keyNode ?? found;
        node = entry.valueNode;
      } else if (isSeq(at) && typeof key === 'number' && at.items[key] !== undefined) {
        node = at.items[key] as Node;
        found = node;
      } else break;
    }
    return found;
  }

  /** An alias stands for the last anchor of its name before it. */
  #readAnchors(): void {
    const anchors = new Map<string, Node>();
    visit(this.#document, {
      Alias: (_, alias) => {
        const target = anchors.get(alias.source);
        if (target !== undefined) this.#targets.set(alias, target);
      },
      Value: (_, node) => {
        if (node.anchor !== undefined) anchors.set(node.anchor, node);
      },
    });
  }

  #report(node: Node | undefined, reason: string): void {
    this.#problems.set(`${node?.range?.[0]} ${reason}`, { node, reason });
  }

  /** An alias is followed; there are no aliases of aliases in YAML. */
  #followed(node: Node | null | undefined): Node | undefined {
    return (isAlias(node) ? this.#targets.get(node) : node) ?? undefined;
  }

  #build(node: unknown, place: Place): unknown {
    if (this.#open.size > 0) this.#add(1);
    if (isAlias(node)) return this.#within(node, (target) => this.#build(target, place));
    if (isMap(node)) return this.#buildMapOnce(node, place);
    if (isSeq(node)) return node.items.map((item, index) => this.#build(item, [...place, index]));
    if (!isScalar(node)) return null;
    const { env, schema } = this.#options;
    if (env === undefined || typeof node.value !== 'string') return node.value;
    return substitute(node, { schema, env, place, onMissing: (reason) => this.#report(node, reason) });
  }

  /** A merge key can bring a mapping into itself without an alias between them. */
  #buildMapOnce(map: YAMLMap, place: Place): unknown {
    if (this.#building.has(map)) {
      this.#report(map, 'this mapping contains itself');
      return undefined;
    }
    this.#building.add(map);
    try {
      return this.#buildMap(map, place);
    } finally {
      this.#building.delete(map);
    }
  }

  #buildMap(map: YAMLMap, place: Place): unknown {
    const value: Record<string, unknown> = {};
    for (const { key, valueNode } of this.#entriesOf(map)) {
      if (place.length === 0 && this.#isFile && OWN_SECTION.test(key)) continue;
      const part = this.#build(valueNode, [...place, key]);
      if (key !== '__proto__') value[key] = part;
      // It is a key like others, and not the prototype.
      else Object.defineProperty(value, key, { value: part, writable: true, enumerable: true, configurable: true });
    }
    return value;
  }

  /** Calls `use` with what an alias stands for. */
  #within<Result>(alias: Alias, use: (target: Node) => Result): Result | undefined {
    const target = this.#targets.get(alias);
    if (target === undefined) {
      // Without its name: it may be a password, whose author did not know that * begins an alias.
      this.#report(alias, 'there is no anchor for this alias before it; write a text that begins with * in quotes');
      return undefined;
    }
    if (this.#open.has(target)) {
      this.#report(alias, `the anchor &${alias.source} contains itself`);
      return undefined;
    }
    if (this.#open.size === MAX_DEPTH) throw new TooMuchError(`more than ${MAX_DEPTH} aliases lie within each other`);
    this.#open.add(target);
    try {
      return use(target);
    } finally {
      this.#open.delete(target);
    }
  }

  /** A mapping's own keys, then those of its merge keys that it does not have itself: the first mapping that has a key decides. */
  #entriesOf(map: YAMLMap): Entry[] {
    const known = this.#entries.get(map);
    if (known !== undefined) return known;
    const entries = new Map<string, Entry>();
    const sources: unknown[] = [];
    for (const { key, value } of map.items) {
      if (isMergeKey(key)) for (const source of isSeq(value) ? value.items : [value]) sources.push(source);
      else {
        const keyNode = this.#followed(key as Node);
        if (isScalar(keyNode)) {
          const text = String(keyNode.value ?? '');
          entries.set(text, { key: text, keyNode: key as Node, valueNode: (value as Node | null) ?? undefined });
        } else this.#report(keyNode, 'a key must be text');
      }
    }
    for (const source of sources) this.#merge(source, entries, map);
    const list = [...entries.values()];
    this.#entries.set(map, list);
    return list;
  }

  #merge(source: unknown, into: Map<string, Entry>, map: YAMLMap): void {
    const merge = (node: unknown): void => {
      if (!isMap(node)) {
        this.#report(map, 'a merge key (<<) takes a mapping, such as *defaults, or a list of mappings');
        return;
      }
      const entries = this.#entriesOf(node);
      this.#add(entries.length);
      for (const entry of entries) if (!into.has(entry.key)) into.set(entry.key, entry);
    };
    if (isAlias(source)) this.#within(source, merge);
    else merge(source);
  }

  #add(count: number): void {
    this.#addedCount += count;
    if (this.#addedCount > MAX_ADDED)
      throw new TooMuchError(`aliases and merge keys add more than ${MAX_ADDED} values`);
  }
}

/** Quoted, it is a key like others. */
function isMergeKey(key: unknown): boolean {
  return isScalar(key) && key.type === 'PLAIN' && key.source === MERGE_KEY;
}
