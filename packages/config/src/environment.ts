/** Replaces `${NAME}` and `${NAME:-default}` in a YAML document by the values of environment variables. */
import { type Document, isPair, isScalar, isSeq, type Node, parse as parseYaml, type Scalar, visit } from 'yaml';
import type { TSchema } from './schema.ts';
import { type Place, schemaAt } from './schema-place.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** A variable that the file names and the environment lacks. */
export interface MissingVariable {
  node: Node;
  reason: string;
}

const VARIABLE = /\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g;
const ONE_VARIABLE = new RegExp(`^${VARIABLE.source}$`);

/**
 * Changes the document. Where the schema expects a number or a boolean, an unquoted scalar becomes one (`${PORT:-8080}`), and
 * so does a quoted scalar that is only a variable: template tools quote values that they do not know.
 */
export function substituteEnvironment(
  document: Document,
  { schema, env }: { schema: TSchema; env: Environment },
): MissingVariable[] {
  const missing: MissingVariable[] = [];
  visit(document, {
    Scalar(key, node, ancestors) {
      const text = node.value;
      if (key === 'key' || typeof text !== 'string' || !text.includes('${')) return;
      const substituted = text.replaceAll(VARIABLE, (_, name: string, fallback: string | undefined) => {
        // As in a shell: `:-` also replaces an empty variable.
        const value = env[name];
        if (value !== undefined && (value !== '' || fallback === undefined)) return value;
        if (fallback !== undefined) return fallback;
        const reason = `the environment variable ${name} is not set; set it or give a default: \${${name}:-…}`;
        missing.push({ node, reason });
        return '';
      });
      const mayBeTyped = node.type === 'PLAIN' || ONE_VARIABLE.test(text);
      node.value = mayBeTyped && !isText(schema, placeOf(node, ancestors)) ? retype(substituted) : substituted;
    },
  });
  return missing;
}

/** Whether the schema expects text, which stays text even if it looks like a number: a password may be `12345`. */
function isText(schema: TSchema, place: Place): boolean {
  const { type, anyOf } = schemaAt(schema, place) ?? {};
  return type === 'string' || (anyOf?.every((option) => typeof option.const === 'string') ?? false);
}

/** The path of a scalar, from the nodes that contain it. */
function placeOf(node: Scalar, ancestors: readonly unknown[]): (string | number)[] {
  return ancestors.flatMap((ancestor, index): (string | number)[] => {
    if (isPair(ancestor)) return [String(isScalar(ancestor.key) ? ancestor.key.value : ancestor.key)];
    return isSeq(ancestor) ? [ancestor.items.indexOf(ancestors[index + 1] ?? node)] : [];
  });
}

/** Numbers and booleans only: the value of an environment variable is never YAML structure. */
function retype(text: string): unknown {
  if (!/^(?:true|false|[-+]?[0-9][0-9_.eE+-]*)$/.test(text)) return text;
  const value: unknown = parseYaml(text);
  return typeof value === 'number' || typeof value === 'boolean' ? value : text;
}
