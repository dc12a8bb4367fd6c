/** Compares the responses of clients with the records of two Kafka clusters, and with the reports of losses. Pure. */
import { countLost, type LossReport } from '@causeway/protocol/clusters.ts';
import { REGION_NAMES, type RegionName } from '../stack/regions.ts';
import type { Place } from '../traffic/read-back.ts';
import { otherRegion } from './dice.ts';
import type { Acknowledgement } from './fleet-ledger.ts';

/** The places of each record in a cluster's topic, by its number. */
export type Stored = Readonly<Record<RegionName, ReadonlyMap<number, readonly Place[]>>>;

export interface Evidence {
  topic: string;
  acknowledgements: ReadonlyMap<number, Acknowledgement>;
  /** At the end, when everything is replicated. */
  stored: Stored;
  /** Of the scenario's promotions. */
  reports: readonly LossReport[];
  /** When the lost cluster was killed, or the promotion was forced. */
  lostAtMs: number | undefined;
}

export interface ClusterAccounts {
  /** Records that only a lost cluster has, by the reports: those that stand in the reported ranges there. */
  tail: ReadonlySet<number>;
  /** Of these, acknowledged. */
  lostWithCluster: number;
  /** The count of the reports. */
  reportedRecords: number;
  /** How many stand in the reported ranges. */
  standingRecords: number;
  isFinal: boolean;
  /** Acknowledged records that a cluster lacks, and no report names. */
  silentlyMissing: Readonly<Record<RegionName, number>>;
  /** Records that were acknowledged by the lost cluster and that the reports call lost, though the promoted one has them. */
  wronglyReported: number;
}

export function accountFor({ topic, acknowledgements, stored, reports, lostAtMs }: Evidence): ClusterAccounts {
  const ranges = reports.flatMap(({ lost, promotion, ranges: all }) =>
    all.filter((range) => range.topic === topic).map((range) => ({ ...range, lost, promoted: promotion.cluster })),
  );
  const covers = ({ partition, offset }: Place, lost: RegionName): boolean =>
    ranges.some(
      (range) => range.lost === lost && range.partition === partition && range.from <= offset && offset < range.to,
    );
  const tail = new Set<number>();
  let standingRecords = 0;
  for (const lost of REGION_NAMES) {
    for (const [record, places] of stored[lost]) {
      const reported = places.filter((place) => covers(place, lost)).length;
      standingRecords += reported;
      // It was sent again to the promoted cluster, or replicated in time.
      const isElsewhere = stored[otherRegion(lost)].has(record);
      if (reported > 0 && !isElsewhere) tail.add(record);
    }
  }
  const missingIn = (name: RegionName): number =>
    [...acknowledgements.keys()].filter((record) => !stored[name].has(record) && !tail.has(record)).length;
  const wronglyReported = [...acknowledgements].filter(([record, { atMs, place }]) => {
    if (place === undefined || lostAtMs === undefined || atMs > lostAtMs) return false;
    return REGION_NAMES.some((lost) => covers(place, lost) && stored[otherRegion(lost)].has(record));
  }).length;
  return {
    tail,
    lostWithCluster: [...acknowledgements.keys()].filter((record) => tail.has(record)).length,
    reportedRecords: countLost(ranges),
    standingRecords,
    isFinal: reports.every(({ isFinal }) => isFinal),
    silentlyMissing: { east: missingIn('east'), west: missingIn('west') },
    wronglyReported,
  };
}
