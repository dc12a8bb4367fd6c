/** Writes the JSON Schema of a config schema for editors. It accepts what the loader accepts, including `${NAME}` for any value. */
import type { TObject } from './schema.ts';

interface SchemaNode {
  type?: string;
  description?: string;
  default?: unknown;
  examples?: unknown[];
  properties?: Record<string, SchemaNode>;
  /** For maps with free keys, by the pattern of the keys. */
  patternProperties?: Record<string, SchemaNode>;
  required?: string[];
  /** Keys of which exactly one group must be given. */
  alternatives?: string[][];
  additionalProperties?: boolean;
  items?: SchemaNode;
  anyOf?: { const?: unknown }[];
  [bound: string]: unknown;
}

/** The dialect that yaml-language-server supports best: https://github.com/redhat-developer/yaml-language-server */
const DIALECT = 'http://json-schema.org/draft-07/schema#';
/** A scalar that names an environment variable; its value is known at the start only. */
const PLACEHOLDER = { type: 'string', pattern: '\\$\\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\\}' };
/** Sections of the file for its author, such as the anchors of merge keys. */
const OWN_SECTIONS = { patternProperties: { '^x-': {} } };
const BOUNDS = ['minimum', 'maximum', 'minLength', 'pattern', 'minItems'] as const;

/** The schema as the text of a file. Keys with a default are optional. */
export function editorSchema(schema: TObject, title: string): string {
  const root = { $schema: DIALECT, title, ...translate(schema as unknown as SchemaNode), ...OWN_SECTIONS };
  return `${JSON.stringify(root, undefined, 2)}\n`;
}

function translate(node: SchemaNode): Record<string, unknown> {
  const { description, examples } = node;
  const annotations = {
    ...(description === undefined ? {} : { description }),
    ...(node.default === undefined ? {} : { default: node.default }),
    ...(examples === undefined ? {} : { examples }),
  };
  const bounds = Object.fromEntries(BOUNDS.filter((key) => key in node).map((key) => [key, node[key]]));
  if (node.anyOf !== undefined) {
    return { ...annotations, anyOf: [{ enum: node.anyOf.map((option) => option.const) }, PLACEHOLDER] };
  }
  switch (node.type) {
    case 'object':
      return { ...annotations, ...translateObject(node) };
    case 'array':
      return { ...annotations, type: 'array', ...bounds, items: translate(node.items ?? {}) };
    case 'string':
      // Any text may hold a placeholder already, unless its form is checked.
      if (node['pattern'] === undefined) return { ...annotations, type: 'string', ...bounds };
      return { ...annotations, anyOf: [{ type: 'string', ...bounds }, PLACEHOLDER] };
    default:
      return { ...annotations, anyOf: [{ type: node.type, ...bounds }, PLACEHOLDER] };
  }
}

function translateObject(node: SchemaNode): Record<string, unknown> {
  const { properties, patternProperties, required, alternatives, additionalProperties } = node;
  const needed = (required ?? []).filter((key) => properties?.[key]?.default === undefined);
  return {
    type: 'object',
    ...(additionalProperties === undefined ? {} : { additionalProperties }),
    ...(needed.length === 0 ? {} : { required: needed }),
    ...(alternatives === undefined ? {} : { oneOf: alternatives.map(needsKeys) }),
    ...(properties === undefined ? {} : { properties: translateAll(properties) }),
    ...(patternProperties === undefined ? {} : { patternProperties: translateAll(patternProperties) }),
  };
}

/** Strict validators want to know the keys that they require. */
function needsKeys(keys: readonly string[]): Record<string, unknown> {
  return { properties: Object.fromEntries(keys.map((key) => [key, {}])), required: keys };
}

function translateAll(nodes: Record<string, SchemaNode>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(nodes).map(([key, node]) => [key, translate(node)]));
}
