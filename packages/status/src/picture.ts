/** The system as text for a terminal: words and marks carry everything, colour only repeats it. Pure. */
import type { DnsName, Rates, Region, State, System, Target } from '@causeway/protocol/admin/model.ts';
import { age } from './age.ts';
import type { Status } from './ask.ts';
import { clusterLines } from './cluster-lines.ts';
import { eventLine } from './event-line.ts';
import type { Colour, Paint } from './paint.ts';

const MARKS: Readonly<Record<State | 'unknown', { mark: string; colour: Colour }>> = {
  up: { mark: '●', colour: 'green' },
  degraded: { mark: '◐', colour: 'yellow' },
  down: { mark: '○', colour: 'red' },
  unknown: { mark: '?', colour: 'dim' },
};

/** `url`: the address of the gateway. */
export function picture(
  { system, access, events }: Pick<Status, 'system' | 'access' | 'events'>,
  { url, paint }: { url: string; paint: Paint },
): string {
  const { gateway, state, summary, clients, regions, redirects, kafka, clusters, retryBudget, at } = system;
  const name = gateway.region === null ? gateway.name : `${gateway.region}/${gateway.name}`;
  const lines = [
    `${paint('bold', name)} at ${url}   ${paint('dim', `${at.slice(0, 19).replace('T', ' ')} UTC`)}`,
    `${marked(state, paint)}  ${summary}`,
    '',
    `clients     ${clients.connectionCount} connections   ${describeRates(clients.rates)}`,
    '',
    ...table(system, paint),
    '',
    ...redirects.map(({ from, to, requestsPerSecond }) =>
      paint('yellow', `redirected  ${from} ⇢ ${to}   ${rate(requestsPerSecond)} that belong to ${from}`),
    ),
    `Kafka       ${marked(kafka.state, paint)}${kafka.since === null ? '' : ` for ${age(kafka.since, at)}`}: ${kafka.reason}`,
    ...(clusters === null ? [] : clusterLines(clusters, { at, paint })),
    `retries     ${retryBudget.usedCount} in 10 s, ${retryBudget.remainingCount} more allowed`,
  ];
  lines.push(...listenerLines(system, paint));
  if (access?.name != null) lines.push(`you         ${access.name}, ${access.role}`);
  if (regions.length === 0) lines.push('no regions are configured');
  if (events.length > 0)
    lines.push('', paint('dim', 'last events (UTC)'), ...events.map((event) => `  ${eventLine(event)}`));
  return lines.join('\n');
}

interface CertificateState {
  notAfter: string | null;
  expiresSoon: boolean;
  problem: string | null;
}

const HEADINGS = ['REGION', 'STATE', 'FOR', 'WEIGHT', 'SHARE', 'REQUESTS', 'ERRORS', 'P99', 'IN FLIGHT', 'CONSUMERS'];

function table({ regions, at }: System, paint: Paint): string[] {
  const rows = regions.map((region) => [
    region.name,
    `${MARKS[region.state].mark} ${region.state}${region.isDrained ? ', drained' : region.standsBy ? ', stands by' : ''}`,
    age(region.since, at),
    region.weight === region.configuredWeight
      ? `${region.weight}`
      : `${region.weight} (YAML ${region.configuredWeight})`,
    region.shareRatio === null ? '–' : `${Math.round(region.shareRatio * 100)} %`,
    rate(region.rates.requestsPerSecond),
    rate(region.rates.errorsPerSecond),
    milliseconds(region.rates.p99Ms),
    `${region.inFlight}`,
    `${region.consumerCount}`,
  ]);
  const [heading = '', ...aligned] = alignedRows([HEADINGS, ...rows]);
  return [
    paint('dim', heading),
    ...aligned.flatMap((row, index) => {
      const region = regions[index];
      if (region === undefined) return [];
      return [paint(MARKS[region.state].colour, row), ...details(region, at, paint)];
    }),
  ];
}

/** Each row as a line, with columns as wide as their widest cell. */
export function alignedRows(rows: readonly (readonly string[])[]): string[] {
  const widths = rows.reduce<number[]>(
    (widest, row) => row.map((cell, column) => Math.max(cell.length, widest[column] ?? 0)),
    [],
  );
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

function details({ state, reason, targets, dnsNames }: Region, at: string, paint: Paint): string[] {
  const why = state === 'up' ? [] : [paint(MARKS[state].colour, `  why: ${reason}`)];
  return [
    ...why,
    ...dnsNames.map((name) => nameLine(name, at, paint)),
    ...targets.flatMap((target) => [targetLine(target, at, '  '), ...behind(target, at)]),
  ];
}

function nameLine({ name, addressCount, problem, since }: DnsName, at: string, paint: Paint): string {
  const text = `  DNS name ${name}: ${addressCount} ${addressCount === 1 ? 'address' : 'addresses'}`;
  if (problem === null) return text;
  return paint('yellow', `${text} in use; it ${problem}${since === null ? '' : ` for ${age(since, at)}`}`);
}

function behind({ behind: targets, behindError, behindAt, kind }: Target, at: string): string[] {
  if (behindError === null) return (targets ?? []).map((target) => targetLine(target, at, '    '));
  if (kind !== 'gateway') return [];
  const before = (targets ?? []).map(({ name, url }) => name ?? url).join(', ');
  const seen = behindAt === null || before === '' ? '' : `; ${age(behindAt, at)} ago: ${before}`;
  return [`    └ targets behind it unknown: ${behindError}${seen}`];
}

function targetLine(
  target: Pick<Target, 'url' | 'name' | 'kind' | 'health' | 'breaker' | 'discoveredBy'>,
  at: string,
  indent: string,
): string {
  const { url, name, kind, health, breaker, discoveredBy } = target;
  const what = kind === 'bridge' ? `bridge ${name}` : kind === 'gateway' ? 'gateway' : 'target';
  const isWell = health.status === 'healthy' && breaker.state === 'closed';
  const healthText = isWell ? 'healthy' : `${health.status} (${health.reason})`;
  const breakerText =
    breaker.state === 'closed'
      ? ''
      : `, breaker ${breaker.state === 'open' ? 'open' : 'half open'} for ${age(breaker.since, at)}`;
  const origin = discoveredBy === null ? '' : ' (DNS)';
  return `${indent}└ ${what} ${url}${origin}   ${healthText} for ${age(health.since, at)}${breakerText}`;
}

/** Where the gateway listens, and which certificates need an operator. */
function listenerLines({ clients, admin, upstreamTls, at }: System, paint: Paint): string[] {
  const listeners = [...clients.listeners, admin].flatMap(({ name, url, protocols, tls }) => [
    `listener    ${name} ${url}   ${protocols.join(', ')}${tls === null ? '' : `   certificate ${lifeOf(tls, at)}`}`,
    ...problemLines(`listener ${name}`, tls, paint),
  ]);
  return [...listeners, ...problemLines('upstream.tls', upstreamTls, paint)];
}

function problemLines(of: string, tls: CertificateState | null, paint: Paint): string[] {
  if (tls === null) return [];
  if (tls.problem !== null) return [paint('red', `certificate of ${of}: ${tls.problem}`)];
  return tls.expiresSoon ? [paint('red', `certificate of ${of} expires soon, at ${tls.notAfter}`)] : [];
}

function lifeOf({ notAfter }: CertificateState, at: string): string {
  if (notAfter === null) return '';
  return Date.parse(notAfter) > Date.parse(at) ? `valid for ${age(at, notAfter)}` : `expired ${age(notAfter, at)} ago`;
}

function marked(state: State | 'unknown', paint: Paint): string {
  const { mark, colour } = MARKS[state];
  return paint(colour, `${mark} ${state}`);
}

function describeRates({ requestsPerSecond, errorsPerSecond, p50Ms, p99Ms }: Rates): string {
  return `${rate(requestsPerSecond)}   errors ${rate(errorsPerSecond)}   p50 ${milliseconds(p50Ms)}   p99 ${milliseconds(p99Ms)}`;
}

function rate(perSecond: number): string {
  return `${perSecond >= 100 ? Math.round(perSecond) : Number(perSecond.toFixed(1))}/s`;
}

function milliseconds(value: number | null): string {
  return value === null ? '–' : `≤ ${value} ms`;
}
