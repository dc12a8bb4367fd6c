/** Metrics of this bridge's consumers; never by group or topic, whose number has no bound. */
import { gauge, histogram } from '@causeway/metrics/declaration.ts';
import { Distribution, MILLISECONDS_PER_SECOND } from '@causeway/metrics/distribution.ts';
import type { Exposition } from '@causeway/metrics/exposition.ts';
import { ADOPTION_STAGES, type AdoptionStage } from '../ownership/adoption.ts';

/** The aim is below 100 ms. */
const ADOPTION_BUCKETS_MS = [5, 10, 25, 50, 75, 100, 150, 250, 500, 1_000, 2_500, 5_000];
/** The states of a session that this bridge serves; a session that ends leaves them within moments. */
export const SESSION_STATES = ['idle', 'subscribed', 'assigned', 'closing', 'fenced', 'released'] as const;

export const CONSUMER_METRICS = {
  sessions: gauge('causeway_bridge_sessions', 'Consumer instances that live here, by what they do.', ['state']),
  adoptions: histogram(
    'causeway_bridge_adoption_duration_seconds',
    'From the first request for a consumer of another bridge until this bridge served it.',
  ),
  adoptionStages: histogram(
    'causeway_bridge_adoption_stage_duration_seconds',
    'Parts of an adoption: `read` the session log, `claim` the session in it, `wait` for the lease of an owner that did not release it, `join` its group.',
    ['stage'],
  ),
  lag: gauge(
    'causeway_bridge_consumer_lag_records',
    'Records that the consumers here have not been given yet, all together. Where partitions end is learnt with each fetch, and looked up every 5 seconds.',
  ),
  maxLag: gauge('causeway_bridge_consumer_max_lag_records', 'The same of the one consumer that is furthest behind.'),
};

/** The figures of one session. */
export interface SessionReport {
  readonly stateKind: (typeof SESSION_STATES)[number];
  /** Records between its positions and the ends of its partitions, where both are known. */
  readonly lagRecords: number;
}

export interface ConsumerSources {
  sessions: () => Iterable<SessionReport>;
  adoptions: AdoptionDurations;
}

/** Durations of adoptions, and of their parts. */
export class AdoptionDurations {
  readonly whole = durations();
  readonly stages = ADOPTION_STAGES.map((stage) => ({ stage, distribution: durations() }));

  count(durationMs: number, stagesMs: ReadonlyMap<AdoptionStage, number>): void {
    this.whole.observe(durationMs);
    for (const { stage, distribution } of this.stages) distribution.observe(stagesMs.get(stage) ?? 0);
  }
}

function durations(): Distribution {
  return new Distribution({ bounds: ADOPTION_BUCKETS_MS, perBaseUnit: MILLISECONDS_PER_SECOND });
}

export function addConsumerMetrics(exposition: Exposition, { sessions, adoptions }: ConsumerSources): void {
  exposition.add(CONSUMER_METRICS.sessions, (sample) => {
    const counts = Map.groupBy(sessions(), ({ stateKind }) => stateKind);
    for (const state of SESSION_STATES) sample({ state }, counts.get(state)?.length ?? 0);
  });
  exposition.addDistributions(CONSUMER_METRICS.adoptions, (sample) => sample({}, adoptions.whole));
  exposition.addDistributions(CONSUMER_METRICS.adoptionStages, (sample) => {
    for (const { stage, distribution } of adoptions.stages) sample({ stage }, distribution);
  });
  exposition.addValue(CONSUMER_METRICS.lag, () => {
    let total = 0;
    for (const { lagRecords } of sessions()) total += lagRecords;
    return total;
  });
  exposition.addValue(CONSUMER_METRICS.maxLag, () => {
    let most = 0;
    for (const { lagRecords } of sessions()) most = Math.max(most, lagRecords);
    return most;
  });
}
