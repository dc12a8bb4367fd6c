/** The records of a topic that a lost cluster took with it, by the reports of promotions. Pure. */
import { countLost, type LossReport } from '@causeway/protocol/clusters.ts';

/** Where a record stood when it was acknowledged. */
export interface AcknowledgedPlace {
  partition: number;
  offset: number;
}

/** What the reports say about one topic. */
export class TopicLosses {
  readonly reportCount: number;
  /** Whether every lost cluster returned, so that the ranges are exact. */
  readonly isFinal: boolean;
  /** Records in the reported ranges; of reports that are not final, as far as they know. */
  readonly reportedRecords: number;
  readonly #ranges: readonly { partition: number; from: number; to: number }[];

  constructor(topic: string, reports: readonly LossReport[]) {
    this.reportCount = reports.length;
    this.isFinal = reports.every(({ isFinal }) => isFinal);
    const ranges = reports.flatMap((report) => report.ranges.map((range) => ({ ...range, isFinal: report.isFinal })));
    const ofTopic = ranges.filter((range) => range.topic === topic);
    this.reportedRecords = countLost(ofTopic);
    this.#ranges = ofTopic.map(({ partition, from, to, isFinal }) => ({
      partition,
      from,
      // Until the lost cluster returns, its end is only known as it was last seen.
      to: isFinal ? to : Number.POSITIVE_INFINITY,
    }));
  }

  /** Whether a report names the record, which the active cluster does not have. */
  has({ partition, offset }: AcknowledgedPlace): boolean {
    return this.#ranges.some((range) => range.partition === partition && range.from <= offset && offset < range.to);
  }
}
