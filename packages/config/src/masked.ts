/** Masks the secrets of a configuration, which its schema marks as `writeOnly`. */
import type { TObject } from './schema.ts';

interface SchemaNode {
  writeOnly?: boolean;
  properties?: Record<string, SchemaNode>;
  items?: SchemaNode;
}

/** Replaces every secret, independent of its length. */
export const MASK = '********';

/** A copy without secrets. Empty ones stay. Passwords in URLs are masked, too. */
export function masked(schema: TObject, config: unknown): unknown {
  return maskedBy(schema as SchemaNode, config);
}

function maskedBy(node: SchemaNode | undefined, value: unknown): unknown {
  if (node?.writeOnly === true) return hidden(value);
  if (Array.isArray(value)) return value.map((item) => maskedBy(node?.items, item));
  if (typeof value === 'string') return value.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/@]+@/i, `$1${MASK}@`);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, maskedBy(node?.properties?.[key], item)]));
}

/** In a map of secrets, the keys stay. */
function hidden(value: unknown): unknown {
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, hidden(item)]));
  }
  return value === undefined || value === '' ? value : MASK;
}

/** The names of all keys that hold secrets, at any depth. */
export function secretKeys(schema: TObject): string[] {
  const keys = new Set<string>();
  const visit = (node: SchemaNode): void => {
    for (const [key, child] of Object.entries(node.properties ?? {})) {
      if (child.writeOnly === true) keys.add(key);
      else visit(child);
    }
    if (node.items !== undefined) visit(node.items);
  };
  visit(schema as SchemaNode);
  return [...keys];
}
