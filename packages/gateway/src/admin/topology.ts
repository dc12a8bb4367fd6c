/** Builds the topology: the system as this gateway sees it, as JSON, for each request. */

import type { DnsName, Listener, Region, System, Target } from '@causeway/protocol/admin/model.ts';
import type { Affinity } from '../consumers/affinity.ts';
import type { Discovery } from '../discovery/discovery.ts';
import type { NameWatch } from '../discovery/name-watch.ts';
import type { Registry } from '../regions/registry.ts';
import { canServe } from '../regions/select.ts';
import type { RegionSnapshot } from '../regions/snapshot.ts';
import type { Target as LiveTarget } from '../regions/target.ts';
import { type ClusterSources, describeClusters } from './clusters.ts';
import { joinKafka, type KafkaState } from './kafka-state.ts';
import type { RateSampler } from './rates.ts';
import { judgeRegion, type RegionStates } from './region-state.ts';
import { judgeSystem, summarize } from './summary.ts';

export type Topology = System;

/** The last report of a regional gateway about itself. */
export interface Behind {
  targets: Target['behind'];
  /** Why there is no current report. */
  error: string | null;
  /** When it arrived; ISO 8601. */
  toldAt: string | null;
}

const NOTHING_BEHIND: Behind = { targets: null, error: null, toldAt: null };

export interface TopologySources extends ClusterSources {
  registry: Registry;
  discovery: Discovery;
  affinity: Affinity;
  rates: RateSampler;
  regionStates: RegionStates;
  startedAt: Date;
  listeners: () => readonly Listener[];
  retryBudget: () => System['retryBudget'];
  configStatus: () => System['config'];
  upstreamTls: () => System['upstreamTls'];
  adminAccess: () => System['adminAccess'];
  /** The port of the admin API. */
  admin: () => Listener;
  behind: (target: LiveTarget) => Behind;
}

export function describeTopology(sources: TopologySources): System {
  const { registry, affinity, rates, regionStates, startedAt } = sources;
  const { snapshot, config } = registry;
  const listeners = sources
    .listeners()
    .map(({ name, url, protocols, connectionCount, tls }) => ({ name, url, protocols, connectionCount, tls }));
  regionStates.update(snapshot.regions);
  const answeredPerSecond = snapshot.regions.map(({ name }) => rates.ratesOf(name).requestsPerSecond);
  const totalPerSecond = answeredPerSecond.reduce((sum, rate) => sum + rate, 0);
  const facts = {
    at: new Date().toISOString(),
    gateway: { name: config.gateway.name, region: config.gateway.region ?? null, startedAt: startedAt.toISOString() },
    isPanic: snapshot.isPanic,
    clients: {
      connectionCount: listeners.reduce((sum, { connectionCount }) => sum + connectionCount, 0),
      listeners,
      rates: rates.all,
    },
    regions: snapshot.regions.map((region, index) => {
      const share = totalPerSecond === 0 ? null : (answeredPerSecond[index] ?? 0) / totalPerSecond;
      return describeRegion(region, share, sources);
    }),
    redirects: rates.redirects,
    kafka: joinKafka(registry.targets().flatMap(kafkaOf)),
    clusters: describeClusters(sources),
    consumers: { count: affinity.size },
    retryBudget: sources.retryBudget(),
    config: sources.configStatus(),
    upstreamTls: sources.upstreamTls(),
    admin: sources.admin(),
    adminAccess: sources.adminAccess(),
  };
  const state = judgeSystem(facts, canServe(snapshot, false));
  const { at, gateway, ...rest } = facts;
  return { at, gateway, state, summary: summarize(facts, state), ...rest };
}

function describeRegion(region: RegionSnapshot, shareRatio: number | null, sources: TopologySources): Region {
  const { affinity, discovery, rates, regionStates } = sources;
  const targets = region.targets.map((target) => describeTarget(target, sources));
  const { name, weight, configuredWeight, weightIsOverridden, priority, isDrained, standsBy, isLocal } = region;
  const { state, reason } = judgeRegion(region);
  return {
    name,
    weight,
    configuredWeight,
    weightIsOverridden,
    shareRatio,
    priority,
    isDrained,
    cluster: sources.clusters.clusterOf(name) ?? null,
    standsBy,
    isLocal,
    state,
    since: regionStates.sinceOf(name).toISOString(),
    reason,
    inFlight: targets.reduce((sum, target) => sum + target.inFlight, 0),
    consumerCount: affinity.countByRegion().get(name) ?? 0,
    rates: rates.ratesOf(name),
    targets,
    dnsNames: discovery.namesOf(name).map(describeName),
  };
}

function describeName({ query, endpoints, problem, problemSince }: NameWatch): DnsName {
  return {
    name: query.name,
    addressCount: endpoints.length,
    problem: problem?.reason ?? null,
    since: problemSince?.toISOString() ?? null,
  };
}

function describeTarget(target: LiveTarget, { rates, behind }: TopologySources): Target {
  const { url, bridge, adminUrl, health, healthSince, breaker, breakerSince, isAvailable, inFlight } = target;
  const isBridge = bridge !== undefined;
  const { targets, error, toldAt } = isBridge ? NOTHING_BEHIND : behind(target);
  return {
    url,
    discoveredBy: target.discoveredBy ?? null,
    name: bridge ?? null,
    kind: isBridge ? 'bridge' : adminUrl === undefined ? 'unknown' : 'gateway',
    isAvailable,
    inFlight: inFlight.size,
    rates: rates.ratesOfTarget(target),
    health: { status: health.status, since: healthSince.toISOString(), reason: health.reason },
    breaker: { state: breaker.state, since: breakerSince.toISOString() },
    kafkaRates: target.kafka?.rates ?? null,
    behind: targets,
    behindError: error,
    behindAt: toldAt,
  };
}

/**
 * The report of the target's own region, from the last probe. The combined view of another gateway is not used: gateways that
 * name each other as targets would receive their own reports again.
 */
function kafkaOf({ kafka }: LiveTarget): KafkaState[] {
  if (kafka === undefined) return [];
  return [{ state: kafka.state, since: kafka.since.toISOString(), reason: kafka.reason }];
}
