/** The texts of a lab with tenants: what each of them does, and the table at the end. */
import { stripVTControlCharacters } from 'node:util';
import type { Guest } from '../traffic/guest.ts';
import type { LedgerSummary } from '../traffic/ledger.ts';
import { errorRemark, judge, type Paint, seconds } from './format.ts';

const NAME_WIDTH = 12;
const COLUMN_GAP = 2;

export interface TenantResult {
  name: string;
  summary: LedgerSummary;
}

export type GuestResult = Pick<Guest, 'refusals' | 'surprises'>;

/** Introduces the traffic. */
export function formatTenantTraffic({
  names,
  recordsPerSecond,
}: {
  names: readonly string[];
  recordsPerSecond: number;
}): string {
  return [
    `  Traffic: ${names.join(', ')}: each has a token, a producer (${recordsPerSecond} records a second into its`,
    '  topic TENANT.orders) and a consumer in a group of its own. A guest tries to produce into a',
    "  tenant's topic, with its own token and with none, and is refused.",
    '',
  ].join('\n');
}

const COLUMNS: readonly { title: string; value: (summary: LedgerSummary, paint: Paint) => string }[] = [
  { title: 'produced', value: ({ produced }) => String(produced) },
  { title: 'acknowledged', value: ({ acknowledged }) => String(acknowledged) },
  { title: 'delivered', value: ({ delivered }) => String(delivered) },
  { title: 'duplicates', value: ({ duplicates }) => String(duplicates) },
  { title: 'lost', value: ({ lost, notStored }, paint) => zero(lost, paint, notStored === undefined) },
  { title: 'errors', value: ({ clientErrors }, paint) => zero(clientErrors, paint) },
  { title: 'longest gap', value: ({ longestGapMs }) => seconds(longestGapMs) },
  { title: 'produce p99', value: ({ produceP99Ms }) => `${Math.round(produceP99Ms)} ms` },
];

/** The result of a run, a line for each tenant and one for the guest. */
export function formatTenants(tenants: readonly TenantResult[], guest: GuestResult, paint: Paint): string {
  const row = (name: string, values: readonly string[]): string => {
    const cells = values.map((value, index) => padded(value, (COLUMNS[index]?.title.length ?? 0) + COLUMN_GAP));
    return `  ${name.padEnd(NAME_WIDTH)}${cells.join('')}`;
  };
  const lines = tenants.flatMap(({ name, summary }) => [
    row(
      name,
      COLUMNS.map(({ value }) => value(summary, paint)),
    ),
    ...summary.errors.map((error) => `    ${error.operation} ${error.count} × ${errorRemark(error)}`),
  ]);
  const header = paint(
    'dim',
    row(
      '',
      COLUMNS.map(({ title }) => title),
    ),
  );
  return ['', paint('bold', '  Result'), header, ...lines, guestLine(guest, paint), ''].join('\n');
}

function guestLine({ refusals, surprises }: GuestResult, paint: Paint): string {
  const { unauthenticated, forbidden } = refusals;
  const expected = `refused ${unauthenticated} × without a token (401), ${forbidden} × with its own token (403)`;
  const others = [...surprises].map(([kind, count]) => `${count} × ${kind}`).join(', ');
  return `  ${'guest'.padEnd(NAME_WIDTH)}  ${expected}${others === '' ? '' : `, ${paint('red', others)}`}`;
}

/** `isGood` decides the exit code of a run that ended without a request to stop. */
export function judgeTenants(
  tenants: readonly TenantResult[],
  guest: GuestResult,
): { isGood: boolean; sentence: string } {
  const verdicts = tenants.map(({ name, summary }) => ({ name, ...judge(summary) }));
  const faults = verdicts.filter(({ isGood }) => !isGood).map(({ name, sentence }) => `${name}: ${sentence}`);
  const { unauthenticated, forbidden } = guest.refusals;
  if (guest.surprises.size > 0) faults.push('The guest got a response that is no refusal.');
  else if (unauthenticated === 0 || forbidden === 0) faults.push('The guest was not refused both ways.');
  if (faults.length > 0) return { isGood: false, sentence: faults.join(' ') };
  return { isGood: true, sentence: 'No record was lost, and no request failed; the guest was refused each time.' };
}

/** A number that must be zero. */
function zero(count: number, paint: Paint, isUnknown = false): string {
  return isUnknown ? paint('red', '?') : paint(count === 0 ? 'green' : 'red', String(count));
}

/** Right-aligned by visible width: colour codes take no room. */
function padded(text: string, width: number): string {
  return `${' '.repeat(Math.max(0, width - stripVTControlCharacters(text).length))}${text}`;
}
