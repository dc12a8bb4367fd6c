/**
 * What a regional gateway tells the gateways that probe it of Kafka: what its own region's bridges told it, and when. What it
 * has from other gateways it keeps to itself, or a fact would go round in circles long after it has ceased to be true.
 */
import { KAFKA_ANSWERED_HEADER, KAFKA_CLUSTER_HEADER, KAFKA_HEADER } from '@causeway/protocol/routing.ts';
import type { KafkaWord } from '../regions/health.ts';
import type { Snapshot } from '../regions/snapshot.ts';

/** Headers for the answer to a probe; none where no bridge of the region has told anything. Pure. */
export function kafkaWord({ regions }: Snapshot, nowMs: number): string[] {
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
