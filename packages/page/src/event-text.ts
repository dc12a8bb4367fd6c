/** Describes events of the gateway for the time line. */
import type { RecordedEvent } from '@causeway/protocol/admin/model.ts';
import { formatHost, plural } from './format.ts';
import type { Mark } from './marks.ts';

export type EventTopic = 'health' | 'traffic' | 'consumers' | 'config';

export interface EventText {
  mark: Mark;
  topic: EventTopic;
  title: string;
  detail: string;
}

type Discovery = Extract<RecordedEvent, { type: 'discovery' }>;

export function describeEvent(event: RecordedEvent): EventText {
  switch (event.type) {
    case 'health':
      return describeHealth(event);
    case 'breaker':
      return {
        mark: event.to === 'closed' ? 'up' : 'degraded',
        topic: 'health',
        title: `Breaker of ${event.region} ${event.to === 'halfOpen' ? 'half open' : event.to}`,
        detail: `${formatHost(event.target)}: ${event.reason}`,
      };
    case 'panic':
      return {
        mark: event.isPanic ? 'down' : 'up',
        topic: 'health',
        title: event.isPanic ? 'Panic: probes are ignored' : 'Panic is over',
        detail: event.reason,
      };
    case 'drain':
      return {
        mark: event.isDrained ? 'drained' : 'up',
        topic: 'traffic',
        title: event.isDrained ? `${event.region} is drained` : `${event.region} takes new work again`,
        detail: 'by an operator, until the next reload',
      };
    case 'promotion':
      return {
        mark: 'degraded',
        topic: 'traffic',
        title: `Kafka cluster ${event.cluster} is active`,
        detail: `in place of ${event.from}, promotion ${event.promotion}: ${event.reason}`,
      };
    case 'cluster':
      return describeMode(event);
    case 'promotionFailed':
      return {
        mark: 'down',
        topic: 'traffic',
        title: `Kafka cluster ${event.cluster} cannot be promoted`,
        detail: event.reason,
      };
    case 'weight':
      return {
        mark: 'unknown',
        topic: 'traffic',
        title: `Weight of ${event.region}: ${event.from} to ${event.to}`,
        detail: 'by an operator, until the next reload',
      };
    case 'adoption':
      return {
        mark: 'degraded',
        topic: 'consumers',
        title: `${plural(event.consumerCount, 'consumer')} moved from ${event.from} to ${event.to}`,
        detail: listSome(event.consumers, event.consumerCount),
      };
    case 'failover':
      return {
        mark: 'degraded',
        topic: 'traffic',
        title: `${plural(event.requestCount, 'request')} left ${event.region}`,
        detail: event.reason,
      };
    case 'reload':
      return {
        mark: 'up',
        topic: 'config',
        title: 'Configuration reloaded',
        detail: event.changes.length === 0 ? 'nothing changed' : event.changes.join('; '),
      };
    case 'reloadRefused':
      return { mark: 'down', topic: 'config', title: 'Configuration refused', detail: event.reason };
    case 'discovery':
      return describeDiscovery(event);
    case 'discoveryProblem':
      return {
        mark: event.problem === null ? 'up' : 'degraded',
        topic: 'config',
        title: `DNS name ${event.name} ${event.problem === null ? 'has addresses again' : 'has a problem'}`,
        detail: `${event.problem === null ? '' : `it ${event.problem}; `}addresses in use: ${event.addressCount}`,
      };
    case 'certificate':
      return {
        mark: event.problem === null ? 'up' : 'down',
        topic: 'config',
        title: `Certificate of ${event.of} ${event.problem === null ? 'in use' : 'has a problem'}`,
        detail: event.problem ?? (event.expiresAt === null ? '' : `valid until ${event.expiresAt}`),
      };
    case 'issuerKeys':
      return {
        mark: event.problem === null ? 'up' : 'degraded',
        topic: 'config',
        title: `Keys of ${event.issuer} ${event.problem === null ? 'can be read again' : 'cannot be read'}`,
        detail: event.problem ?? '',
      };
    case 'credentials':
      return {
        mark: event.problem !== null ? 'down' : event.warning !== null ? 'degraded' : 'up',
        topic: 'config',
        title: `Credentials ${event.problem === null ? 'in use' : 'cannot be used'}: ${plural(event.principalCount, 'principal')}`,
        detail: event.problem ?? event.warning ?? event.file,
      };
    case 'handshake':
      return {
        mark: 'degraded',
        topic: 'config',
        title: `${plural(event.failureCount, 'client')} could not connect to ${event.listener}`,
        detail: `${event.address}: ${event.reason}`,
      };
    case 'telemetry':
      return {
        mark: event.reason === null ? 'up' : 'degraded',
        topic: 'config',
        title: `${event.part === 'accessLog' ? 'Access log' : 'Traces'}: ${event.reason === null ? 'written again' : 'cannot be written'}`,
        detail: event.reason ?? '',
      };
    case 'rulesNotEnforced':
      return {
        mark: 'down',
        topic: 'config',
        title: `${event.region} does not enforce rules`,
        detail: `${event.target} does not trust this gateway: check its trust.peers. ${plural(event.requestCount, 'response')} withheld`,
      };
    case 'impostor':
      return {
        mark: 'degraded',
        topic: 'config',
        title: `${plural(event.requestCount, 'request')} from ${event.address} not trusted`,
        detail: event.reason,
      };
    case 'audit':
      return {
        mark: event.reason === null ? 'unknown' : 'degraded',
        topic: 'config',
        title: `${event.askedBy ?? event.who}: ${event.what}`,
        detail: `${event.reason ?? 'done'} (from ${event.address}, ${event.request})`,
      };
    case 'accessRefused':
      return {
        mark: 'degraded',
        topic: 'config',
        title: `Admin API refused ${plural(event.requestCount, 'request')} of ${event.who ?? event.address}`,
        detail: event.reason,
      };
    case 'connectionsRefused':
      return {
        mark: 'degraded',
        topic: 'config',
        title: `${plural(event.connectionCount, 'connection')} closed at listener ${event.listener}`,
        detail: event.reason,
      };
    case 'quotaExceeded':
      return {
        mark: 'degraded',
        topic: 'config',
        title: `${plural(event.requestCount, 'request')} beyond the quota ${event.quota}`,
        detail: `lastly of ${event.who}`,
      };
    case 'started':
      return {
        mark: 'up',
        topic: 'config',
        title: 'Gateway started',
        detail: `clients: ${(event.urls ?? [event.url]).join(', ')}`,
      };
    case 'stopping':
      return { mark: 'degraded', topic: 'config', title: 'Gateway stopping', detail: event.reason };
    default:
      // An event of a newer gateway.
      return {
        mark: 'unknown',
        topic: 'config',
        title: (event as { type: string }).type,
        detail: JSON.stringify(event),
      };
  }
}

function describeHealth(event: Extract<RecordedEvent, { type: 'health' }>): EventText {
  const words = { healthy: 'is up', unhealthy: 'is down', unknown: 'is not probed yet' }[event.to];
  const mark: Mark = event.to === 'healthy' ? 'up' : event.to === 'unhealthy' ? 'down' : 'unknown';
  return {
    mark,
    topic: 'health',
    title: `${event.region} ${words}`,
    detail: `${formatHost(event.target)}: ${event.reason}`,
  };
}

/** In the words of the section Kafka clusters. */
function describeMode({ cluster, from, to }: Extract<RecordedEvent, { type: 'cluster' }>): EventText {
  const modes: Record<typeof to, { mark: Mark; does: string; why?: string }> = {
    active: { mark: 'up', does: 'takes requests' },
    pausing: { mark: 'degraded', does: 'pauses', why: 'requests wait while it is handed over' },
    standby: { mark: 'drained', does: 'stands by' },
    fenced: { mark: 'down', does: 'is fenced', why: 'it may have records that the active one lacks' },
    unassigned: { mark: 'unknown', does: 'knows of no promotion' },
  };
  const { mark, does, why } = modes[to];
  const detail = [why, `before: ${from}`].filter(Boolean).join('; ');
  return { mark, topic: 'traffic', title: `Kafka cluster ${cluster} ${does}`, detail };
}

function describeDiscovery({ region, name, added, removed, targetCount }: Discovery): EventText {
  const changes = [
    added.length === 0 ? '' : `${added.length} new`,
    removed.length === 0 ? '' : `${removed.length} gone`,
  ];
  return {
    mark: targetCount === 0 ? 'down' : 'unknown',
    topic: 'config',
    title: `Targets of ${region} by DNS: ${changes.filter(Boolean).join(', ')}`,
    detail: `${name}: ${[...added.map((url) => `+ ${formatHost(url)}`), ...removed.map((url) => `− ${formatHost(url)}`)].join(', ')}`,
  };
}

function listSome(names: string[], count: number): string {
  const more = count - names.length;
  return names.join(', ') + (more > 0 && names.length > 0 ? ` and ${more} more` : '');
}
