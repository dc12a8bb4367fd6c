/**
 * The headers by which a regional gateway reports Kafka's state to the gateways that probe it: from the bridges of its own region
 * alone. Reports of other gateways are not repeated, or an outdated one would circulate.
 */
import { KAFKA_ANSWERED_HEADER, KAFKA_CLUSTER_HEADER, KAFKA_HEADER } from '@causeway/protocol/routing.ts';
import type { KafkaWord } from '../regions/health.ts';
import type { Snapshot } from '../regions/snapshot.ts';

/** Empty if no bridge of the region has reported a state. Pure. */
export function kafkaHeaders({ regions }: Snapshot, nowMs: number): string[] {
  const bridges = regions
    .filter(({ isLocal }) => isLocal)
    .flatMap(({ targets }) => targets.filter(({ bridge, kafka }) => bridge !== undefined && kafka !== undefined));
  if (bridges.length === 0) return [];
  const headers = [KAFKA_HEADER, joined(bridges.map(({ kafka }) => kafka?.state))];
  const clusters = new Set(bridges.map(({ kafkaContact }) => kafkaContact.cluster));
  const [cluster] = clusters;
  if (clusters.size === 1 && cluster !== undefined) headers.push(KAFKA_CLUSTER_HEADER, cluster);
  const answersMs = bridges.flatMap(({ kafkaContact }) => kafkaContact.answersMs.at(-1) ?? []);
  if (answersMs.length > 0) {
    headers.push(KAFKA_ANSWERED_HEADER, String(Math.ceil(Math.max(0, nowMs - Math.max(...answersMs)))));
  }
  return headers;
}

function joined(states: readonly (KafkaWord | undefined)[]): KafkaWord {
  if (states.every((state) => state === 'up')) return 'up';
  return states.every((state) => state === 'down') ? 'down' : 'degraded';
}
