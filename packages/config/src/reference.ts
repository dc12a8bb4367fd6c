/** Writes the commented YAML reference of a config schema: every key with meaning, bounds and default. */
import { stringify } from 'yaml';
import type { TObject } from './schema.ts';

interface SchemaNode {
  type?: string;
  description?: string;
  default?: unknown;
  examples?: unknown[];
  minimum?: number;
  maximum?: number;
  anyOf?: { const?: unknown }[];
  properties?: Record<string, SchemaNode>;
  items?: SchemaNode;
  required?: string[];
  /** Keys of which exactly one group must be given: the reference has the first. */
  alternatives?: string[][];
}

const COMMENT_WIDTH = 110;

/** The reference of a schema as YAML; `header` becomes its opening comment. A key without default shows its example, commented out where it is optional. */
export function referenceYaml(schema: TObject, header: string): string {
  const root = schema as unknown as SchemaNode;
  return `${comment(header, '')}\n${section(root, '').join('\n')}\n`.replaceAll(/\n{3,}/g, '\n\n');
}

function section(node: SchemaNode, indent: string): string[] {
  const lines: string[] = [];
  const given = [...(node.required ?? []), ...(node.alternatives?.[0] ?? [])];
  const isOptional = (key: string): boolean => !given.includes(key);
  for (const [key, child] of Object.entries(node.properties ?? {})) {
    const isBranch = child.properties !== undefined || child.items?.properties !== undefined;
    if (isBranch && indent === '') lines.push('');
    lines.push(comment(describe(child), indent));
    if (child.properties !== undefined) {
      const branch = [`${indent}${key}:`, ...section(child, `${indent}  `)];
      lines.push(...(isOptional(key) && child.default === undefined ? commentedOut(branch, indent) : branch));
    } else if (child.items?.properties !== undefined && child.default === undefined) {
      const [first = '', ...rest] = section(child.items, `${indent}    `);
      const list = [`${indent}${key}:`, `${indent}  -`, first, ...rest];
      lines.push(...(isOptional(key) ? commentedOut(list, indent) : list));
    } else if (child.default === undefined) {
      const example = `${key}: ${inline(child.examples?.[0] ?? null)}`;
      lines.push(isOptional(key) ? `${indent}# ${example}` : `${indent}${example}`);
    } else {
      lines.push(`${indent}${key}: ${inline(child.default)}`);
    }
  }
  return lines;
}

/** A branch that is absent by default, commented out. */
function commentedOut(branch: readonly string[], indent: string): string[] {
  return branch.flatMap((lines) => lines.split('\n')).map((line) => `${indent}# ${line.slice(indent.length)}`);
}

function describe(node: SchemaNode): string {
  const parts = [node.description ?? ''];
  if (node.anyOf !== undefined) parts.push(`One of: ${node.anyOf.map((option) => String(option.const)).join(', ')}.`);
  if (node.minimum !== undefined && node.maximum !== undefined) parts.push(`From ${node.minimum} to ${node.maximum}.`);
  else if (node.minimum !== undefined) parts.push(`At least ${node.minimum}.`);
  return parts.filter((part) => part !== '').join(' ');
}

function inline(value: unknown): string {
  return stringify(value, { collectionStyle: 'flow', flowCollectionPadding: false, lineWidth: 0 }).trim();
}

function comment(text: string, indent: string): string {
  const lines: string[] = [];
  for (const paragraph of text.split('\n')) {
    let line = '';
    for (const word of paragraph.split(' ')) {
      if (line !== '' && indent.length + line.length + word.length + 3 > COMMENT_WIDTH) {
        lines.push(line);
        line = '';
      }
      line = line === '' ? word : `${line} ${word}`;
    }
    lines.push(line);
  }
  return lines.map((line) => `${indent}# ${line}`.trimEnd()).join('\n');
}
