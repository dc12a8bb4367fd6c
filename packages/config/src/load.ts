/** Reads a YAML file into a value of a TypeBox schema, or reports problems with line, key and reason. */
import leven from 'leven';
import { Settings } from 'typebox/system';
import { LineCounter, type Node, parseDocument } from 'yaml';
import type { Environment } from './environment.ts';
import { readRegularFile } from './file.ts';
import { formProblem } from './form.ts';
import { type Static, type TSchema, Value } from './schema.ts';
import { type SchemaNode, schemaAt } from './schema-place.ts';
import { YamlValue } from './yaml-value.ts';

/** One problem of a config file. */
export interface ConfigProblem {
  /** Counted from 1. */
  line: number;
  /** The key, as in `regions[0].weight`; empty for the whole file. */
  path: string;
  reason: string;
}

/** A config file that cannot be used. Its message has one line a problem: `FILE:LINE: KEY: REASON`. */
export class ConfigError extends Error {
  readonly file: string;
  readonly problems: readonly ConfigProblem[];

  constructor(file: string, problems: readonly ConfigProblem[], options?: { cause?: unknown }) {
    super(problems.map((problem) => formatProblem(file, problem)).join('\n'), options);
    this.name = 'ConfigError';
    this.file = file;
    this.problems = problems;
  }
}

function formatProblem(file: string, { line, path, reason }: ConfigProblem): string {
  return path === '' ? `${file}:${line}: ${reason}` : `${file}:${line}: ${path}: ${reason}`;
}

export interface LoadOptions<Schema extends TSchema> {
  schema: Schema;
  /** For `${NAME}` and `${NAME:-default}`; `undefined` leaves them as they are. */
  env: Environment | undefined;
  /** The file contains secrets, perhaps in the wrong place: problems quote nothing of it. Default: false. */
  isSecret?: boolean;
  /** Checks that a schema cannot express; called with a value that fits the schema. `given` is the value without defaults. */
  check?: (config: Static<Schema>, given: unknown) => { path: readonly (string | number)[]; reason: string }[];
}

/** Reads and checks a file. Errors: `ConfigError`, also when the file cannot be read. */
export function loadConfig<Schema extends TSchema>(file: string, options: LoadOptions<Schema>): Static<Schema> {
  let text: string;
  try {
    text = readRegularFile(file).toString();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigError(file, [{ line: 1, path: '', reason }], { cause });
  }
  return parseConfig(file, text, options);
}

/** Like {@link loadConfig}, of a text; `file` is named in errors only. */
export function parseConfig<Schema extends TSchema>(
  file: string,
  text: string,
  options: LoadOptions<Schema>,
): Static<Schema> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const problems: ConfigProblem[] = document.errors.map((error) => ({
    line: lines.linePos(error.pos[0]).line,
    path: '',
    reason: options.isSecret === true ? `invalid YAML (${error.code})` : withoutQuote(error.message),
  }));
  if (problems.length > 0) throw new ConfigError(file, problems);

  const { env, schema } = options;
  const yaml = new YamlValue(document, { schema, env });
  const given = (): unknown => yaml.build() ?? emptyOf(schema);
  const lineOf = (path: readonly (string | number)[]): number => lineOfNode(yaml.nodeAt(path), lines);
  const value: unknown = Value.Default(schema, given());
  for (const { node, reason } of yaml.problems) {
    const line = lineOfNode(node, lines);
    problems.push({ line, path: '', reason: options.isSecret === true ? 'invalid aliases' : reason });
  }
  if (problems.length > 0) throw new ConfigError(file, problems);
  problems.push(...schemaProblems(schema, value, { lineOf, isSecret: options.isSecret === true }));
  if (problems.length > 0) throw new ConfigError(file, problems);

  const config = value as Static<Schema>;
  for (const { path, reason } of options.check?.(config, given()) ?? []) {
    problems.push({ line: lineOf(path), path: formatPath(path), reason });
  }
  if (problems.length > 0) throw new ConfigError(file, problems);
  return config;
}

/** What stands in the wrong place may be the end of a password. */
function withoutQuote(message: string): string {
  return message.replace(/ in YAML stream: .*/s, ' in the file');
}

/** The value of an empty file. */
function emptyOf(schema: TSchema): unknown {
  return (schema as unknown as SchemaNode).type === 'array' ? [] : {};
}

function schemaProblems(
  schema: TSchema,
  value: unknown,
  { lineOf, isSecret }: { lineOf: (path: readonly (string | number)[]) => number; isSecret: boolean },
): ConfigProblem[] {
  const previous = Settings.Get().maxErrors;
  Settings.Set({ maxErrors: 100 });
  const errors = Value.Errors(schema, value);
  Settings.Set({ maxErrors: previous });
  const problems = new Map<string, ConfigProblem>();
  const add = (path: (string | number)[], reason: string): void => {
    const problem = { line: lineOf(path), path: formatPath(path), reason };
    problems.set(`${problem.path}: ${reason}`, problem);
  };
  for (const error of errors) {
    const path = splitPointer(error.instancePath);
    switch (error.keyword) {
      case 'additionalProperties': {
        const known = knownKeys(schema, path);
        for (const key of error.params.additionalProperties) {
          if (isSecret) add(path, `unknown key (known here: ${known.join(', ')})`);
          else add([...path, key], unknownKey(key, { known, isTop: path.length === 0 }));
        }
        break;
      }
      case 'required':
        for (const key of error.params.requiredProperties) add(path, `the key ${key} is missing`);
        break;
      case 'const':
        break; // Reported by the anyOf that follows.
      case 'anyOf':
        add(path, describeUnion(schema, path));
        break;
      case 'boolean':
        break; // Reported by additionalProperties.
      case 'pattern':
        add(path, `must match ${String(error.params.pattern)}`);
        break;
      default:
        add(path, error.message);
    }
  }
  visitForms(schema, value, (path, reason) => add(path, reason));
  // Otherwise a file whose only problem was skipped above would pass.
  if (problems.size === 0 && errors.length > 0) add([], errors[0]?.message ?? 'does not fit the schema');
  return [...problems.values()].sort((a, b) => a.line - b.line);
}

/** A typo changes at most one in this many letters; two swapped letters count as two. */
const LETTERS_PER_CHANGE = 3;

function unknownKey(key: string, { known, isTop }: { known: readonly string[]; isTop: boolean }): string {
  if (!isTop && key.startsWith('x-')) return 'unknown key: x-… sections may stand at the top level of the file only';
  if (known.length === 0) return 'unknown key';
  const distances = known.map((word) => ({ word, distance: leven(key.toLowerCase(), word.toLowerCase()) }));
  const [nearest] = distances.sort((a, b) => a.distance - b.distance);
  const isNear = nearest !== undefined && nearest.distance <= Math.ceil(nearest.word.length / LETTERS_PER_CHANGE);
  return `unknown key${isNear ? `; did you mean ${nearest.word}?` : ''} (known here: ${known.join(', ')})`;
}

function knownKeys(schema: TSchema, path: readonly (string | number)[]): string[] {
  return Object.keys(schemaAt(schema, path)?.properties ?? {});
}

/** Calls `onProblem` for every text that does not have the form that its schema requires. */
function visitForms(
  schema: TSchema,
  value: unknown,
  onProblem: (path: (string | number)[], reason: string) => void,
): void {
  const visit = (node: SchemaNode | undefined, part: unknown, path: (string | number)[]): void => {
    if (typeof part === 'string') {
      const reason = node?.format === undefined ? undefined : formProblem(node.format, part);
      if (reason !== undefined) onProblem(path, reason);
    } else if (Array.isArray(part)) {
      for (const [index, item] of part.entries()) visit(node?.items, item, [...path, index]);
    } else if (typeof part === 'object' && part !== null) {
      for (const [key, item] of Object.entries(part)) visit(node?.properties?.[key], item, [...path, key]);
    }
  };
  visit(schema as unknown as SchemaNode, value, []);
}

function describeUnion(schema: TSchema, path: readonly (string | number)[]): string {
  const options = schemaAt(schema, path)?.anyOf ?? [];
  return `must be one of: ${options.map((option) => ('const' in option ? String(option.const) : option.type)).join(', ')}`;
}

function splitPointer(pointer: string): (string | number)[] {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part));
}

function formatPath(path: readonly (string | number)[]): string {
  return path.map((key, index) => (typeof key === 'number' ? `[${key}]` : index === 0 ? key : `.${key}`)).join('');
}

function lineOfNode(node: Node | undefined, lines: LineCounter): number {
  return node?.range ? lines.linePos(node.range[0]).line : 1;
}
