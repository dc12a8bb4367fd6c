/** An event in one line. */

import type { RecordedEvent } from '@causeway/protocol/admin/model.ts';
import { assertNever } from '@causeway/protocol/assert-never.ts';

/** `12:03:11  east  http://… healthy → unhealthy: probe timed out …`. */
export function eventLine(event: RecordedEvent): string {
  const from = event.gateway === undefined ? '' : `[${event.gateway}] `;
  return `${event.at.slice(11, 19)}  ${from}${describe(event)}`;
}

function describe(event: RecordedEvent): string {
  switch (event.type) {
    case 'health':
      return `${event.region} ${event.target} ${event.from} → ${event.to}: ${event.reason}`;
    case 'breaker':
      return `${event.region} ${event.target} breaker ${event.from} → ${event.to}: ${event.reason}`;
    case 'panic':
      return `${event.isPanic ? 'panic' : 'panic is over'}: ${event.reason}`;
    case 'drain':
      return `${event.region} ${event.isDrained ? 'drained' : 'undrained'}`;
    case 'promotion':
      return `Kafka cluster ${event.from} → ${event.cluster}, promotion ${event.promotion}: ${event.reason}`;
    case 'cluster':
      return `Kafka cluster ${event.cluster}: ${event.from} → ${event.to}`;
    case 'promotionFailed':
      return `Kafka cluster ${event.cluster} cannot be promoted: ${event.reason}`;
    case 'weight':
      return `${event.region} weight ${event.from} → ${event.to}`;
    case 'adoption': {
      const { consumerCount, consumers, from, to } = event;
      const more = consumerCount > consumers.length ? ', …' : '';
      return `${consumerCount} ${consumerCount === 1 ? 'consumer' : 'consumers'} ${from} → ${to}: ${consumers.join(', ')}${more}`;
    }
    case 'failover':
      return `${event.region} ${event.target} ${event.requestCount} requests failed over: ${event.reason}`;
    case 'reload':
      return `configuration reloaded: ${event.changes.length === 0 ? 'nothing changed' : event.changes.join('; ')}`;
    case 'reloadRefused':
      return `configuration refused: ${event.reason}`;
    case 'discovery': {
      const changes = [...event.added.map((url) => `+ ${url}`), ...event.removed.map((url) => `− ${url}`)];
      return `${event.region} ${event.name}: ${changes.join(', ')} (${event.targetCount} targets)`;
    }
    case 'discoveryProblem':
      return `DNS name ${event.name} ${event.problem ?? 'has addresses again'} (${event.addressCount} in use)`;
    case 'certificate':
      return `certificate of ${event.of} ${event.problem === null ? 'in use' : `has a problem: ${event.problem}`}`;
    case 'issuerKeys':
      return `keys of ${event.issuer} ${event.problem === null ? 'can be read again' : `cannot be read: ${event.problem}`}`;
    case 'credentials': {
      const remark = event.warning === null ? '' : `; ${event.warning}`;
      return event.problem === null
        ? `credentials of ${event.principalCount} principals in use (${event.file})${remark}`
        : `credentials cannot be used, those before stay: ${event.problem}`;
    }
    case 'handshake':
      return `${event.failureCount} ${event.failureCount === 1 ? 'client' : 'clients'} could not connect to ${event.listener}, ${event.address} last: ${event.reason}`;
    case 'telemetry':
      return `${event.part}: ${event.reason ?? 'recovered'}`;
    case 'rulesNotEnforced':
      return `${event.region}: ${event.target} does not trust this gateway, and enforces no rules (${event.requestCount} responses withheld)`;
    case 'impostor':
      return `${event.address} is not trusted as a gateway (${event.requestCount} requests): ${event.reason}`;
    case 'audit': {
      const asker = event.askedBy === null ? '' : ` for ${event.askedBy}`;
      const result = event.reason === null ? '' : `: ${event.status} ${event.reason}`;
      return `${event.who}${asker} from ${event.address}: ${event.what}${result}`;
    }
    case 'accessRefused':
      return `${event.who ?? 'a client'} at ${event.address} refused (${event.requestCount} requests): ${event.reason}`;
    case 'connectionsRefused':
      return `listener ${event.listener} closed ${event.connectionCount} connections: ${event.reason}`;
    case 'quotaExceeded':
      return `quota ${event.quota} exceeded (${event.requestCount} requests), lastly by ${event.who}`;
    case 'started':
      return `started at ${(event.urls ?? [event.url]).join(', ')}`;
    case 'stopping':
      return `stopping: ${event.reason}`;
    default:
      return assertNever(event);
  }
}
