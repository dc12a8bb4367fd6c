/** Finds the part of a config schema that describes one place in a file. */
import type { TSchema } from './schema.ts';

export interface SchemaNode {
  type?: string;
  /** Checked by `form.ts`. */
  format?: string;
  properties?: Record<string, SchemaNode>;
  /** For maps with free keys, by the pattern of the keys. */
  patternProperties?: Record<string, SchemaNode>;
  items?: SchemaNode;
  anyOf?: (SchemaNode & { const?: unknown })[];
}

/** Keys and list indexes, from the root. */
export type Place = readonly (string | number)[];

/** `undefined` where the schema knows no such key. */
export function schemaAt(schema: TSchema, place: Place): SchemaNode | undefined {
  let node: SchemaNode | undefined = schema as unknown as SchemaNode;
  for (const key of place) {
    if (typeof key === 'number') node = node?.items;
    else node = node?.properties?.[key] ?? Object.values(node?.patternProperties ?? {})[0];
  }
  return node;
}
