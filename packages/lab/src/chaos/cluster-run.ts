/** One scenario with two Kafka clusters on a running system: the fleet, the steps, the verdict. */
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { ClusterMode } from '@causeway/protocol/clusters.ts';
import { LabError } from '../errors.ts';
import { MachinePace } from '../machine-pace.ts';
import { ensureTopics } from '../stack/kafka.ts';
import { independentClient, type KafkaAccess } from '../stack/kafka-client.ts';
import { REGION_NAMES, type RegionName } from '../stack/regions.ts';
import type { StoredRecords } from '../traffic/read-back.ts';
import { accountFor, type ClusterAccounts } from './cluster-accounts.ts';
import { ClusterOperator } from './cluster-operator.ts';
import { ClusterProbe, PROBED_MODES, type ProbeCounts } from './cluster-probe.ts';
import type { ClusterAction, ClusterScenario } from './cluster-scenario.ts';
import type { ClusterStage } from './cluster-stage.ts';
import { faultsOfClusters } from './cluster-verdict.ts';
import { Dice, otherRegion } from './dice.ts';
import { commitsByItself, Fleet, PARTITION_COUNT } from './fleet.ts';
import type { FleetSummary } from './fleet-ledger.ts';
import type { Plan } from './scenario.ts';
import { excessRepeats } from './unsynced-repeats.ts';

const TOPIC_TIMEOUT_MS = 30_000;
const REPLICATION_TIMEOUT_MS = 30_000;
const POLL_MS = 100;

export interface ClusterRunOptions {
  seed: number;
  onAction?: ((action: ClusterAction) => void) | undefined;
}

export interface ClusterResult {
  name: string;
  summary: FleetSummary;
  accounts: ClusterAccounts;
  probes: ProbeCounts;
  promotions: number;
  /** Violated claims. */
  faults: string[];
}

/** What a scenario runs with. */
interface Scene {
  stage: ClusterStage;
  operator: ClusterOperator;
  fleet: Fleet;
  topic: string;
  /** The number of the promotion by which a cluster was active at the start. */
  firstPromotion: number;
}

/** What both clusters have at the end. */
interface Outcome {
  accounts: ClusterAccounts;
  reportCount: number;
  stored: Readonly<Record<RegionName, StoredRecords>>;
}

/** Afterwards one cluster is active again, and the other one is filled. Errors: those of the fleet's start and of the steps. */
export async function playOnClusters(
  scenario: ClusterScenario,
  stage: ClusterStage,
  { seed, onAction }: ClusterRunOptions,
): Promise<ClusterResult> {
  const scene = await prepare(stage);
  const { fleet, operator, topic } = scene;
  const pace = new MachinePace();
  const probes = REGION_NAMES.map((name) => {
    const bridgeUrl = stage.stack.regions[name].bridge.url;
    return new ClusterProbe({ bridgeUrl, topic, status: () => operator.statusOf(name) });
  });
  try {
    await fleet.start();
    await perform(scenario.plan(new Dice(seed)), operator, onAction);
    await fleet.endProducing();
    const outcome = await settle(scene);
    fleet.ledger.excuse(outcome.accounts.tail);
    await fleet.endConsuming();
    const counts = sumOf(probes.map((probe) => probe.counts));
    return await judge(scenario, scene, { outcome, probes: counts, slowness: pace.slowness });
  } catch (error) {
    await fleet.abandon();
    throw error;
  } finally {
    pace.close();
    await Promise.all(probes.map((probe) => probe.close()));
  }
}

async function prepare(stage: ClusterStage): Promise<Scene> {
  const { stack, pair } = stage;
  const operator = new ClusterOperator(stage);
  await operator.awaitMirrored();
  const { active, number: firstPromotion } = await operator.promotion();
  const topic = `chaos-${randomBytes(4).toString('hex')}`;
  const kafka = pair.kafkas[active].access;
  await ensureTopics(kafka, [{ name: topic, partitionCount: PARTITION_COUNT }]);
  await untilTopicExists(pair.kafkas[otherRegion(active)].access, topic);
  const urls = stack.tier1s.map(({ url }) => url);
  return { stage, operator, fleet: new Fleet({ urls, kafka, topic, identity: 'record' }), topic, firstPromotion };
}

async function perform(
  { steps, endSecond }: Plan<ClusterAction>,
  operator: ClusterOperator,
  onAction: ((action: ClusterAction) => void) | undefined,
): Promise<void> {
  const startedAtMs = performance.now();
  // A step that takes longer moves those behind it.
  let movedMs = 0;
  const untilSecond = async (second: number): Promise<void> => {
    const waitMs = startedAtMs + movedMs + second * 1_000 - performance.now();
    if (waitMs > 0) await delay(waitMs);
    else movedMs -= waitMs;
  };
  for (const { atSecond, action } of steps) {
    await untilSecond(atSecond);
    onAction?.(action);
    await operator.perform(action);
  }
  await untilSecond(endSecond);
}

/** Waits until both clusters have everything that they will have, and compares it with the reports. */
async function settle({ stage: { stack, pair }, operator, fleet, topic, firstPromotion }: Scene): Promise<Outcome> {
  const deadlineMs = performance.now() + REPLICATION_TIMEOUT_MS;
  for (;;) {
    await operator.awaitMirrored({ isComplete: true });
    const all = (await stack.replication?.lossReports()) ?? [];
    const reports = all.filter(({ promotion }) => promotion.number > firstPromotion);
    const stored = {
      east: await fleet.readBack(pair.kafkas.east.access),
      west: await fleet.readBack(pair.kafkas.west.access),
    };
    const accounts = accountFor({
      topic,
      acknowledgements: fleet.ledger.acknowledgements,
      stored: { east: stored.east.places, west: stored.west.places },
      reports,
      lostAtMs: operator.loss?.lostAtMs,
    });
    const { isFinal, silentlyMissing } = accounts;
    const isSettled = isFinal && silentlyMissing.east === 0 && silentlyMissing.west === 0;
    if (isSettled || performance.now() > deadlineMs) return { accounts, reportCount: reports.length, stored };
    await delay(POLL_MS);
  }
}

async function judge(
  { name, allowed }: ClusterScenario,
  scene: Scene,
  { outcome, probes, slowness }: { outcome: Outcome; probes: ProbeCounts; slowness: number },
): Promise<ClusterResult> {
  const { fleet, operator, firstPromotion } = scene;
  const { active, number } = await operator.promotion();
  const stored = outcome.stored[active];
  fleet.ledger.compareWithKafka(stored);
  const summary = fleet.ledger.summarize();
  const promotions = number - firstPromotion;
  const { accounts, reportCount } = outcome;
  const { refusals } = operator;
  const repeats = countRepeats(scene, recordsStoredTwice(stored));
  const found = { summary, accounts, probes, promotions, reportCount, refusals, slowness, ...repeats };
  return { name, summary, accounts, probes, promotions, faults: faultsOfClusters(found, allowed) };
}

/** Of records that are in the topic once. */
function countRepeats(
  { fleet, operator: { loss }, topic }: Scene,
  storedTwice: ReadonlySet<number>,
): { excessRepeats: number; lateRepeats: number; committedRepeats: number } {
  let excess = 0;
  let late = 0;
  let committed = 0;
  for (const { group: name, repeats: all } of fleet.ledger.repeats) {
    const repeats = all.filter(({ before }) => !storedTwice.has(before.record));
    const group = `${fleet.groupPrefix}${name}`;
    if (loss !== undefined) excess += excessRepeats({ repeats, group, topic, ...loss }).length;
    const since = loss?.promotedAtMs ?? Number.NEGATIVE_INFINITY;
    committed += repeats.filter(({ isLate }) => isLate || !commitsByItself(name)).length;
    late += repeats.filter(({ isLate, beforeAtMs }) => isLate && beforeAtMs > since).length;
  }
  return { excessRepeats: excess, lateRepeats: late, committedRepeats: committed };
}

function recordsStoredTwice({ places }: StoredRecords): Set<number> {
  return new Set([...places].flatMap(([record, { length }]) => (length > 1 ? [record] : [])));
}

function sumOf(counts: readonly ProbeCounts[]): ProbeCounts {
  const refusedIn = (mode: ClusterMode): number => counts.reduce((sum, { refused }) => sum + (refused[mode] ?? 0), 0);
  return {
    refused: Object.fromEntries(PROBED_MODES.map((mode) => [mode, refusedIn(mode)])),
    accepted: counts.reduce((sum, { accepted }) => sum + accepted, 0),
  };
}

/** MirrorMaker looks for new topics once a second. */
async function untilTopicExists(kafka: KafkaAccess, topic: string): Promise<void> {
  const admin = independentClient(kafka).admin();
  await admin.connect();
  try {
    const deadlineMs = performance.now() + TOPIC_TIMEOUT_MS;
    while (!(await admin.listTopics()).includes(topic)) {
      if (performance.now() > deadlineMs) throw new LabError('startTimedOut', `MirrorMaker did not copy ${topic}.`);
      await delay(POLL_MS);
    }
  } finally {
    await admin.disconnect();
  }
}
