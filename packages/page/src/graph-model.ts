/** The graph as values: clients, tier-1, gateways, bridges and Kafka, and the traffic between them. */
import type { BehindTarget, Listener, Rates, Region, System, Target } from '@causeway/protocol/admin/model.ts';
import { conditionOfCluster, flowTo, formatSeconds, isLate } from './clusters-model.ts';
import { formatHost, formatMs, formatPercent, formatRate, plural } from './format.ts';
import {
  type Condition,
  conditionOfGateway,
  conditionOfKafka,
  conditionOfRegion,
  conditionOfTarget,
  type Mark,
} from './marks.ts';

export interface Card {
  id: string;
  title: string;
  subtitle: string;
  /** `null` for clients, which have no state. */
  condition: Condition | null;
  fact: string;
}

export interface Lane {
  region: string;
  condition: Condition;
  /** Weight, share and consumers. */
  fact: string;
  gateways: Card[];
  bridges: Card[];
}

export interface Link {
  id: string;
  from: string;
  to: string;
  kind: 'traffic' | 'redirect' | 'replication';
  mark: Mark;
  requestsPerSecond: number;
  /** Short lines beside the edge; empty when the traffic is unknown. */
  label: string[];
  /** Explains figures that are not requests of clients. */
  note?: string;
  /** The regions of a redirect. */
  redirect?: { from: string; to: string };
}

export interface Graph {
  clients: Card;
  tier1: Card;
  lanes: Lane[];
  /** One for each cluster. */
  kafkas: Card[];
  links: Link[];
}

const KAFKA_NOTE = 'the bridge’s own requests to Kafka; p99 of produce requests alone, since others wait for records';
const NO_RATES: Rates = { requestsPerSecond: 0, errorsPerSecond: 0, p50Ms: null, p99Ms: null };

export function graphOf(system: System): Graph {
  const kafkas = kafkaCards(system);
  const links: Link[] = [trafficLink('clients', 'tier1', { rates: system.clients.rates, mark: 'up' })];
  const lanes = system.regions.map((region) => laneOf(region, links));
  for (const { from, to, requestsPerSecond } of system.redirects) {
    if (requestsPerSecond <= 0) continue;
    links.push({
      id: `redirect ${from} ${to}`,
      from: 'tier1',
      to: firstCardOf(lanes, to),
      kind: 'redirect',
      mark: 'degraded',
      requestsPerSecond,
      label: [`${from}’s work, in ${to}`, `${formatRate(requestsPerSecond)} req/s`],
      redirect: { from, to },
    });
  }
  links.push(...replicationLinks(system));
  return {
    clients: {
      id: 'clients',
      title: 'Clients',
      subtitle: protocolWords(system.clients.listeners),
      condition: null,
      fact: plural(system.clients.connectionCount, 'connection'),
    },
    tier1: {
      id: 'tier1',
      title: system.gateway.name,
      subtitle: system.gateway.region === null ? 'tier-1 gateway' : `gateway of ${system.gateway.region}`,
      condition: conditionOfGateway(system),
      fact: plural(system.consumers.count, 'consumer'),
    },
    lanes,
    kafkas,
    links,
  };
}

function kafkaCards(system: System): Card[] {
  const { clusters } = system;
  if (clusters === null) {
    const condition = conditionOfKafka(system);
    return [{ id: 'kafka', title: 'Kafka', subtitle: 'as bridges see it', condition, fact: '' }];
  }
  return clusters.members.map((cluster) => ({
    id: kafkaId(cluster.name),
    title: `Kafka ${cluster.name}`,
    subtitle:
      cluster.regions.length === 1 && cluster.regions[0] === cluster.name ? '' : `of ${cluster.regions.join(', ')}`,
    // The card is narrow: the section below says since when and why.
    condition: { ...conditionOfCluster(cluster, clusters), since: null, reason: '' },
    fact: '',
  }));
}

/** `cluster`: `null` where there is only one. */
function kafkaId(cluster: string | null): string {
  return cluster === null ? 'kafka' : `kafka ${cluster}`;
}

/** From the active cluster to each of the others. */
function replicationLinks({ clusters, at }: System): Link[] {
  if (clusters === null) return [];
  return clusters.members.flatMap((cluster): Link[] => {
    if (cluster.isActive) return [];
    const flow = flowTo(cluster, clusters, Date.parse(at));
    const link = {
      id: `replication ${clusters.active} ${cluster.name}`,
      from: kafkaId(clusters.active),
      to: kafkaId(cluster.name),
      kind: 'replication' as const,
      requestsPerSecond: 0,
      note: 'replication, and what would be lost now',
    };
    if (flow.kind === 'none') return [{ ...link, mark: 'unknown', label: ['none'] }];
    if (flow.kind === 'unmeasured') return [{ ...link, mark: 'degraded', label: ['not measured'] }];
    const { records, seconds } = flow.status;
    const label = records === 0 ? ['complete'] : [plural(records, 'record'), `${formatSeconds(seconds)} behind`];
    return [{ ...link, mark: isLate(flow.status) ? 'degraded' : 'up', label }];
  });
}

function firstCardOf(lanes: Lane[], region: string): string {
  const lane = lanes.find((candidate) => candidate.region === region);
  return (lane?.gateways[0] ?? lane?.bridges[0])?.id ?? 'tier1';
}

/** Adds the edges to `links`. */
function laneOf(region: Region, links: Link[]): Lane {
  const lane: Lane = {
    region: region.name,
    condition: conditionOfRegion(region),
    fact: factOf(region),
    gateways: [],
    bridges: [],
  };
  for (const target of region.targets) {
    const id = `${region.name} ${target.url}`;
    const condition = conditionOfTarget(target);
    links.push(trafficLink('tier1', id, { rates: target.rates, mark: condition.mark }));
    if (target.kind === 'bridge') {
      lane.bridges.push(cardOf(target, { id, title: 'Bridge', condition }));
      links.push(kafkaLink(id, region.cluster, { rates: target.kafkaRates, mark: condition.mark }));
      continue;
    }
    lane.gateways.push(cardOf(target, { id, title: 'Gateway', condition }));
    for (const bridge of bridgesBehind(target)) {
      const bridgeId = `${id} ${bridge.card.id}`;
      lane.bridges.push({ ...bridge.card, id: bridgeId });
      const mark = bridge.card.condition?.mark ?? 'unknown';
      links.push(trafficLink(id, bridgeId, { rates: bridge.rates, mark }));
      links.push(kafkaLink(bridgeId, region.cluster, { rates: bridge.kafkaRates, mark }));
    }
  }
  return lane;
}

function factOf({ weight, shareRatio, consumerCount }: Region): string {
  return `weight ${weight}, share ${formatPercent(shareRatio)}, ${plural(consumerCount, 'consumer')}`;
}

interface Bridge {
  card: Card;
  rates: Rates;
  kafkaRates: Rates | null;
}

/** For a gateway that does not report its bridges: those that it reported before, or one card for all of them. */
function bridgesBehind({ behind, behindError, behindAt }: Target): Bridge[] {
  if (behind !== null && behindError === null) {
    return behind.map((bridge) => ({
      card: cardOf(bridge, { id: bridge.url, title: 'Bridge', condition: conditionOfTarget(bridge) }),
      rates: bridge.rates,
      kafkaRates: bridge.kafkaRates,
    }));
  }
  const reason = `its gateway does not respond: ${behindError ?? 'not asked yet'}`;
  const condition: Condition = { mark: 'unknown', words: 'unknown', since: behindAt, reason };
  const cards = behind?.map((bridge) => cardOf(bridge, { id: bridge.url, title: 'Bridge', condition })) ?? [];
  const anyBridges: Card = { id: 'bridges', title: 'Bridges', subtitle: '', condition, fact: '' };
  return (cards.length === 0 ? [anyBridges] : cards).map((card) => ({
    card: { ...card, fact: '' },
    rates: NO_RATES,
    kafkaRates: null,
  }));
}

function cardOf(
  target: Target | BehindTarget,
  { id, title, condition }: { id: string; title: string; condition: Condition },
): Card {
  const host = formatHost(target.url);
  const own = target.name?.split('/').at(-1) ?? '';
  return {
    id,
    // A name that repeats the title is left out.
    title: own === '' || own.toLowerCase() === title.toLowerCase() ? title : `${title} ${own}`,
    subtitle: host,
    condition,
    fact: `${target.inFlight} in flight`,
  };
}

interface Traffic {
  /** `null` when unknown. */
  rates: Rates | null;
  mark: Mark;
}

function trafficLink(from: string, to: string, { rates, mark }: Traffic): Link {
  return {
    id: `${from} → ${to}`,
    from,
    to,
    kind: 'traffic',
    mark: rates !== null && rates.errorsPerSecond >= 0.05 && mark === 'up' ? 'degraded' : mark,
    requestsPerSecond: rates?.requestsPerSecond ?? 0,
    label: rates === null ? [] : labelOf(rates, mark),
  };
}

function labelOf({ requestsPerSecond, errorsPerSecond, p99Ms }: Rates, mark: Mark): string[] {
  const isIdle = mark === 'down' || mark === 'unknown';
  if (isIdle && requestsPerSecond < 0.05) return ['no traffic'];
  return [`${formatRate(requestsPerSecond)} req/s`, `${formatRate(errorsPerSecond)} err/s`, `p99 ${formatMs(p99Ms)}`];
}

/** The bridge's own measure of its requests to Kafka, which include more than those for its clients. */
function kafkaLink(from: string, cluster: string | null, traffic: Traffic): Link {
  return { ...trafficLink(from, kafkaId(cluster), traffic), note: KAFKA_NOTE };
}

/** What clients speak, in a few words. */
function protocolWords(listeners: readonly Listener[]): string {
  const isPlain = listeners.some(({ tls }) => tls === null);
  const isSecure = listeners.some(({ tls }) => tls !== null);
  const isHttp2 = listeners.some(({ protocols }) => protocols.some((protocol) => protocol !== 'http/1.1'));
  const scheme = isPlain && isSecure ? 'HTTP(S)' : isSecure ? 'HTTPS' : 'plain HTTP';
  return isHttp2 ? `${scheme}, h2` : scheme;
}
