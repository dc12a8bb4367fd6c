/** Executes the actions of a scenario with two Kafka clusters on a running stack. */
import { setTimeout as delay } from 'node:timers/promises';
import { assertNever } from '@causeway/protocol/assert-never.ts';
import type { ClusterStatus } from '@causeway/protocol/clusters.ts';
import { request } from 'undici';
import { LabError } from '../errors.ts';
import { readLastCheckpoints } from '../stack/checkpoints.ts';
import { changeCluster } from '../stack/cluster-changes.ts';
import { askClusterStatus } from '../stack/cluster-status.ts';
import { readSyncs } from '../stack/offset-syncs.ts';
import { REGION_NAMES, type RegionName } from '../stack/regions.ts';
import { activeCluster } from '../stack/replication-follower.ts';
import type { ClusterAction } from './cluster-scenario.ts';
import type { ClusterStage } from './cluster-stage.ts';
import { otherRegion } from './dice.ts';
import type { Knowledge } from './unsynced-repeats.ts';

/** A Kafka that was killed comes back after 10 to 20 s, and MirrorMaker is turned. */
const TIMEOUT_MS = 90_000;
const POLL_MS = 50;
/** Until an operator asks again. */
const ASK_AGAIN_MS = 500;

/** A promotion by force, or by the gateways. */
export interface Loss {
  lost: RegionName;
  /** When it was killed, or the promotion was asked for. */
  lostAtMs: number;
  promotedAtMs: number;
  knowledge: Knowledge;
}

export class ClusterOperator {
  /** Switch-overs that were refused, though they should not be, with the reason. */
  readonly refusals: string[] = [];
  readonly #stage: ClusterStage;
  #loss: Loss | undefined;
  #killed: { name: RegionName; atMs: number } | undefined;

  constructor(stage: ClusterStage) {
    this.#stage = stage;
  }

  /** Of the first promotion that was not a switch-over. */
  get loss(): Loss | undefined {
    return this.#loss;
  }

  /** Errors: `startTimedOut`, `startFailed`, `refused`; those of kafkajs. */
  async perform({ kind }: ClusterAction): Promise<void> {
    const { stack, pair, links } = this.#stage;
    switch (kind) {
      case 'killActive':
        return this.#killActive();
      case 'awaitPromotion':
        return this.#awaitPromotion();
      case 'restoreKilled':
        return this.#restoreKilled();
      case 'rejoin':
        return this.#rejoin();
      case 'switchOver':
        return this.#switchOver();
      case 'switchOverInVain':
        return this.#switchOverInVain();
      case 'force':
        return this.#force();
      case 'freezeMirror':
        return pair.replication.mirrorMaker?.process.signal('SIGSTOP');
      case 'thawMirror':
        return pair.replication.mirrorMaker?.process.signal('SIGCONT');
      case 'cutPeers':
        for (const name of REGION_NAMES) links[name].cut();
        return;
      case 'healPeers':
        for (const name of REGION_NAMES) links[name].heal();
        return;
      case 'freezeTier1':
        return stack.secondTier1?.freeze();
      case 'thawTier1':
        return stack.secondTier1?.thaw();
      case 'awaitMirrored':
        return this.awaitMirrored();
      default:
        return assertNever(kind);
    }
  }

  /** What its bridge says; `undefined` if that does not respond. */
  async statusOf(name: RegionName): Promise<ClusterStatus | undefined> {
    const { regions, agent, trustSecret } = this.#stage.stack;
    return await askClusterStatus(regions[name].bridge.url, { agent, secret: trustSecret });
  }

  /** The active cluster, and how often one was promoted so far. Errors: `startFailed` if no bridge knows one. */
  async promotion(): Promise<{ active: RegionName; number: number }> {
    const [east, west] = await Promise.all([this.statusOf('east'), this.statusOf('west')]);
    const active = activeCluster({ east, west });
    if (active === undefined) throw new LabError('startFailed', 'No bridge knows a promotion.');
    return { active, number: Math.max(east?.promotion?.number ?? 0, west?.promotion?.number ?? 0) };
  }

  /**
   * Until one cluster is active for every gateway, and the other one stands by and is filled; `isComplete`: and lacks nothing.
   * Errors: `startTimedOut`.
   */
  async awaitMirrored({ isComplete = false }: { isComplete?: boolean } = {}): Promise<void> {
    let seen = 'no bridge responds';
    const isMirrored = async (): Promise<boolean> => {
      const [east, west] = await Promise.all([this.statusOf('east'), this.statusOf('west')]);
      const active = activeCluster({ east, west });
      if (active === undefined || east === undefined || west === undefined) return false;
      const [serving, standing] = active === 'east' ? [east, west] : [west, east];
      const { replication } = standing;
      const isCopying = this.#stage.stack.replication?.isCopyingFrom(active) === true;
      seen = `${serving.cluster} is ${serving.mode}, ${standing.cluster} ${standing.mode}; replication ${JSON.stringify(replication)}, MirrorMaker ${isCopying ? 'runs' : 'does not run'}`;
      return (
        serving.mode === 'active' &&
        standing.mode === 'standby' &&
        replication !== null &&
        replication.problem === null &&
        replication.from === active &&
        !(isComplete && replication.records > 0) &&
        isCopying &&
        (await this.#isActiveForAll(active))
      );
    };
    await this.#until('a cluster is active and the other one is filled', isMirrored, () => seen);
  }

  async #killActive(): Promise<void> {
    const { active } = await this.promotion();
    this.#killed = { name: active, atMs: performance.now() };
    await this.#stage.stack.killRegion(active);
  }

  async #awaitPromotion(): Promise<void> {
    const killed = this.#killed;
    if (killed === undefined) throw new LabError('startFailed', 'No cluster was killed.');
    const other = otherRegion(killed.name);
    await this.#until(`${other} is active`, async () => (await this.statusOf(other))?.mode === 'active');
    await this.#noteLoss(killed.name, killed.atMs);
  }

  async #restoreKilled(): Promise<void> {
    const killed = this.#killed;
    if (killed === undefined) throw new LabError('startFailed', 'No cluster was killed.');
    await this.#stage.stack.restoreRegion(killed.name);
    await this.#until(`${killed.name} is fenced`, async () => (await this.statusOf(killed.name))?.mode === 'fenced');
    this.#killed = undefined;
  }

  async #rejoin(): Promise<void> {
    const fenced = otherRegion((await this.promotion()).active);
    // A gateway learns a little later than the bridge that its region is back.
    await this.#asked(async () => {
      // Its response may have been lost.
      if ((await this.statusOf(fenced))?.mode !== 'standby') await changeCluster(this.#stage.stack, fenced, 'rejoin');
    });
  }

  async #switchOver(): Promise<void> {
    const standing = otherRegion((await this.promotion()).active);
    await this.#asked(
      () => changeCluster(this.#stage.stack, standing, 'promote'),
      (reason) => this.refusals.push(reason),
    );
  }

  async #switchOverInVain(): Promise<void> {
    const standing = otherRegion((await this.promotion()).active);
    try {
      await changeCluster(this.#stage.stack, standing, 'promote');
    } catch (error) {
      if (error instanceof LabError && error.code === 'refused') return;
      throw error;
    }
    this.refusals.push(`${standing} was promoted though it does not reach the active cluster, and nothing may be lost`);
  }

  async #force(): Promise<void> {
    const { active } = await this.promotion();
    const atMs = performance.now();
    await changeCluster(this.#stage.stack, otherRegion(active), 'promote', { force: true });
    await this.#noteLoss(active, atMs);
  }

  /** Before the replication turns: nothing is added to what it knew. */
  async #noteLoss(lost: RegionName, lostAtMs: number): Promise<void> {
    const promotedAtMs = performance.now();
    const direction = this.#stage.pair.direction(lost);
    const [checkpoints, syncs] = await Promise.all([readLastCheckpoints(direction), readSyncs(direction)]);
    this.#loss ??= { lost, lostAtMs, promotedAtMs, knowledge: { checkpoints, syncs } };
  }

  /** Again while the gateway refuses. Errors: its last refusal, after a while. */
  async #asked(ask: () => Promise<unknown>, onRefusal: (reason: string) => void = () => {}): Promise<void> {
    const deadlineMs = performance.now() + TIMEOUT_MS;
    for (;;) {
      try {
        await ask();
        return;
      } catch (error) {
        if (!(error instanceof LabError && error.code === 'refused') || performance.now() > deadlineMs) throw error;
        onRefusal(error.message);
        await delay(ASK_AGAIN_MS);
      }
    }
  }

  async #isActiveForAll(active: RegionName): Promise<boolean> {
    const { tier1s, regions, agent, adminToken } = this.#stage.stack;
    const gateways = [...tier1s, ...REGION_NAMES.map((name) => regions[name].gateway)];
    const answers = await Promise.all(
      gateways.map(async ({ admin }) => {
        try {
          const headers = { authorization: `Bearer ${adminToken}` };
          const { body } = await request(`${admin}/api/clusters`, { dispatcher: agent, headers });
          return ((await body.json()) as { active?: unknown }).active;
        } catch {
          return undefined;
        }
      }),
    );
    return answers.every((answer) => answer === active);
  }

  /** `seen`: what was there last. */
  async #until(what: string, holds: () => Promise<boolean>, seen = (): string => ''): Promise<void> {
    const deadlineMs = performance.now() + TIMEOUT_MS;
    while (!(await holds())) {
      if (performance.now() > deadlineMs) {
        const last = seen();
        throw new LabError('startTimedOut', `Gave up waiting until ${what}${last === '' ? '' : ` (${last})`}.`);
      }
      await delay(POLL_MS);
    }
  }
}
