/** Replaces `${NAME}` and `${NAME:-default}` in the scalars of a YAML file by the values of environment variables. */
import { parse as parseYaml, type Scalar } from 'yaml';
import type { TSchema } from './schema.ts';
import { type Place, schemaAt } from './schema-place.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface SubstituteOptions {
  readonly schema: TSchema;
  readonly env: Environment;
  /** Where the scalar is used: the schema says which type it has there. */
  readonly place: Place;
  /** The file names a variable that the environment lacks. */
  readonly onMissing: (reason: string) => void;
}

const VARIABLE = /\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g;
const ONE_VARIABLE = new RegExp(`^${VARIABLE.source}$`);

/**
 * Returns the value of a scalar. Where the schema expects a number or a boolean, an unquoted scalar becomes one (`${PORT:-8080}`), and
 * so does a quoted scalar that is only a variable: template tools quote values that they do not know.
 */
export function substitute(scalar: Scalar, { schema, env, place, onMissing }: SubstituteOptions): unknown {
  const text = scalar.value;
  if (typeof text !== 'string' || !text.includes('${')) return text;
  const substituted = text.replaceAll(VARIABLE, (_, name: string, fallback: string | undefined) => {
    // As in a shell: `:-` also replaces an empty variable.
    const value = env[name];
    if (value !== undefined && (value !== '' || fallback === undefined)) return value;
    if (fallback !== undefined) return fallback;
    onMissing(`the environment variable ${name} is not set; set it or give a default: \${${name}:-…}`);
    return '';
  });
  const mayBeTyped = scalar.type === 'PLAIN' || ONE_VARIABLE.test(text);
  return mayBeTyped && !isText(schema, place) ? retype(substituted) : substituted;
}

/** Whether the schema expects text, which stays text even if it looks like a number: a password may be `12345`. */
function isText(schema: TSchema, place: Place): boolean {
  const { type, anyOf } = schemaAt(schema, place) ?? {};
  return type === 'string' || (anyOf?.every((option) => typeof option.const === 'string') ?? false);
}

/** Numbers and booleans only: the value of an environment variable is never YAML structure. */
function retype(text: string): unknown {
  if (!/^(?:true|false|[-+]?[0-9][0-9_.eE+-]*)$/.test(text)) return text;
  const value: unknown = parseYaml(text);
  return typeof value === 'number' || typeof value === 'boolean' ? value : text;
}
