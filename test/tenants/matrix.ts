/** Sends every cell of the matrix, and judges the responses. */
import { type Cell, cells } from './cells.ts';
import type { Names, Pass } from './names.ts';
import { type MatrixRequest, type Named, requestOf } from './operations.ts';
import type { MatrixResponse, TenantSystem } from './system.ts';

export interface MatrixResult {
  count: number;
  /** Responses with another status than the rule's. */
  wrong: { cell: string; expected: number; status: number; text: string }[];
  /** Responses with a name of another tenant's that the request does not have. */
  leaks: string[];
  /** The texts of refusals without the names, by what was refused. */
  refusals: Record<string, string[]>;
}

/** As alice. */
export async function runMatrix(system: TenantSystem, names: Names, pass: Pass): Promise<MatrixResult> {
  const result: MatrixResult = { count: 0, wrong: [], leaks: [], refusals: {} };
  for (const cell of cells()) {
    const named = names.inCell(cell, pass);
    const request = requestOf(cell.operation, named);
    const response = await system.send('alice', pass.method, request);
    const { status, text } = response;
    result.count += 1;
    if (status !== cell.status) result.wrong.push({ cell: labelOf(cell), expected: cell.status, status, text });
    if (tellsAboutOthers(names, request, response)) result.leaks.push(`${labelOf(cell)}: ${text}`);
    if (status === 403) note(result.refusals, refusalOf(cell), withoutNames(text, named));
  }
  return result;
}

function labelOf({ operation, topics, group, consumer }: Cell): string {
  const parts = [
    topics.length === 0 ? [] : [`topics ${topics.join(' and ')}`],
    group === undefined ? [] : [`group ${group}`],
    consumer === undefined ? [] : [`consumer ${consumer}`],
  ];
  return [operation, ...parts.flat()].join(', ');
}

function tellsAboutOthers(names: Names, { path, body = '' }: MatrixRequest, { text }: MatrixResponse): boolean {
  const asked = decodeURIComponent(path) + body;
  return names.othersIn(text).some((name) => !asked.includes(name));
}

/** The refusals that must look the same, whether what the request names exists or not. */
function refusalOf({ operation, topics, group, consumer }: Cell): string {
  if (group !== undefined && group !== 'own') return 'a group';
  const what = consumer === 'strangers' ? "a stranger's consumer" : operation;
  return topics.every((kind) => kind === 'own') ? what : `${what} with a topic`;
}

function withoutNames(text: string, { topics, group, consumer }: Named): string {
  const named = topics.reduce((before, topic) => before.replaceAll(topic, 'TOPIC'), text);
  return named.replaceAll(group, 'GROUP').replaceAll(consumer, 'CONSUMER');
}

function note(refusals: Record<string, string[]>, key: string, text: string): void {
  refusals[key] = [...new Set([...(refusals[key] ?? []), text])];
}
