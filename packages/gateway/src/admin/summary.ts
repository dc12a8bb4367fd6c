/** Summarizes the system in one word and in one sentence, for an operator who was called at night. Pure. */

import type { Region, State, System } from '@causeway/protocol/admin/model.ts';
import { hasWeight } from '../regions/snapshot.ts';

/** The facts of the sentence. */
export type Facts = Omit<System, 'summary' | 'state'>;

/** `down` if no region can serve (`canServe`), `degraded` if anything is wrong, `up` otherwise. */
export function judgeSystem(facts: Facts, canServe: boolean): State {
  const { regions, isPanic, kafka, config } = facts;
  if (!canServe) return 'down';
  const isUp =
    regions.every(({ state }) => state === 'up') &&
    !isPanic &&
    (kafka.state === 'up' || kafka.state === 'unknown') &&
    config.lastError === null &&
    certificateProblems(facts).length === 0 &&
    clusterProblems(facts).length === 0 &&
    nameProblems(facts).length === 0;
  return isUp ? 'up' : 'degraded';
}

export function summarize(facts: Facts, state: State): string {
  const { regions, kafka, config, isPanic } = facts;
  const clauses: string[] = describeClusters(facts);
  if (kafka.state === 'down' || kafka.state === 'degraded') {
    const word = kafka.state === 'down' ? 'Kafka does not respond' : 'Kafka does not respond to every bridge';
    clauses.push(`${word}${kafka.since === null ? '' : ` since ${clockOf(kafka.since)}`}: ${kafka.reason}`);
  }
  for (const region of regions) {
    if (region.state !== 'up') clauses.push(describeFailing(region, facts));
  }
  for (const { name, isDrained } of regions) if (isDrained) clauses.push(`${name} is drained by an operator`);
  for (const region of regions) {
    if (!region.weightIsOverridden || region.isDrained) continue;
    clauses.push(
      `the weight of ${region.name} is ${region.weight} by an operator, and ${region.configuredWeight} in the YAML`,
    );
  }
  if (isPanic) clauses.push('too few targets are available, so all of them get traffic');
  if (config.lastError !== null) {
    clauses.push(
      `a change of ${config.file} was refused at ${clockOf(config.lastError.at)}: ${config.lastError.reason}`,
    );
  }
  clauses.push(...clusterProblems(facts), ...certificateProblems(facts), ...nameProblems(facts));
  if (!hasWeight(regions)) clauses.push('no region has weight: no request can be served');
  const isUp = state === 'up';
  const opening = isUp ? [`Healthy: ${listOf(regions.map(({ name }) => name))} up`] : [];
  return sentence([...opening, ...clauses, describeConsumers(facts)]);
}

/** `Kafka cluster west is active since 12:03:11 UTC (no region of cluster east has …)`. */
function describeClusters({ clusters }: Facts): string[] {
  if (clusters === null) return [];
  const { active, since, reason, promotion, waitingCount } = clusters;
  // The first promotion is no news.
  const why = promotion > 1 && since !== null ? ` since ${clockOf(since)} (${reason})` : '';
  const waiting = waitingCount === 0 ? [] : [`${waitingCount} requests wait for a Kafka cluster`];
  return [`Kafka cluster ${active} is active${why}`, ...waiting];
}

function clusterProblems({ clusters }: Facts): string[] {
  if (clusters === null) return [];
  const { active, members } = clusters;
  return members.flatMap(({ name, mode, canServe, problem, replication }) => {
    if (mode === 'fenced') return [`Kafka cluster ${name} is fenced: it may have records that ${active} lacks`];
    if (name === active || !canServe) return [];
    if (problem !== null) return [`Kafka cluster ${name} reports nothing: ${problem}`];
    if (replication === null || replication.problem === null || replication.from !== active) return [];
    return [`it is unknown what Kafka cluster ${name} lacks: ${replication.problem}`];
  });
}

function certificateProblems({ clients, admin, upstreamTls }: Facts): string[] {
  const ofListeners = [...clients.listeners, admin].map(({ name, tls }) => ({
    of: `listener ${name}: `,
    problem: tls?.problem,
  }));
  const all = [...ofListeners, { of: '', problem: upstreamTls?.problem }];
  return all.flatMap(({ of, problem }) => (typeof problem === 'string' ? [`${of}${problem}`] : []));
}

/** `the DNS name bridge.test does not exist (NXDOMAIN) since 12:03:11 UTC, 3 of its addresses in use`. */
function nameProblems({ regions }: Facts): string[] {
  const clauses = regions.flatMap(({ dnsNames }) =>
    dnsNames.flatMap(({ name, problem, since, addressCount }) => {
      if (problem === null) return [];
      const stay = addressCount === 0 ? '' : `, ${addressCount} of its addresses in use`;
      return [`the DNS name ${name} ${problem}${since === null ? '' : ` since ${clockOf(since)}`}${stay}`];
    }),
  );
  return [...new Set(clauses)];
}

/** `east is down since 12:03:11 UTC (probe timed out after 500 ms, 2 in a row), its traffic goes to west`. */
function describeFailing({ name, state, since, reason }: Region, { regions, redirects }: Facts): string {
  const text = `${name} is ${state} since ${clockOf(since)} (${reason})`;
  const others = regions.filter((other) => other.name !== name && other.state !== 'down');
  // Rates span the last seconds: a region that took the traffic may be down by now.
  const takers = others.filter((other) => redirects.some(({ from, to }) => from === name && to === other.name));
  if (takers.length > 0) return `${text}, its traffic goes to ${listOf(takers.map((taker) => taker.name))}`;
  const canOthersTake = others.some(({ weight }) => weight > 0);
  return state === 'down' && !canOthersTake ? `${text}, and no other region can take its traffic` : text;
}

function describeConsumers({ regions, consumers }: Facts): string {
  if (consumers.count === 0) return 'no consumers are known';
  const places = regions.filter(({ consumerCount }) => consumerCount > 0);
  const text = places.map(({ name, consumerCount }) => `${consumerCount} on ${name}`);
  return `consumers: ${text.length === 0 ? consumers.count : text.join(', ')}`;
}

/** `12:03:11 UTC`. */
function clockOf(time: string): string {
  return `${time.slice(11, 19)} UTC`;
}

function listOf(names: readonly string[]): string {
  if (names.length < 2) return names.join('');
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

function sentence(clauses: readonly string[]): string {
  const text = clauses.join('; ');
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
