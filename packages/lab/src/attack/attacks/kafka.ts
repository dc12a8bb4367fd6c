/** Kafka freezes for some seconds, under a producer that counts. */
import { RECORDS } from '@causeway/protocol/content-types.ts';
import type { Attack } from '../attack.ts';
import { describe } from '../attack-consumer.ts';
import { Findings, pause, times } from '../pace.ts';

const FROZEN_MS = 8_000;
const PARTITION_COUNT = 3;

export const KAFKA: readonly Attack[] = [
  {
    name: 'freeze-kafka',
    title: 'Kafka frozen for 8 s under a producer',
    claim: 'no record is stored more often than it was sent, and each acknowledged record is stored',
    freezesKafka: true,
    // Consumers get 503; requests wait as long as Kafka is frozen. Bridges report that they cannot serve, and a client that
    // tries another bridge then finds its consumer there.
    allowed: {
      extraGapMs: FROZEN_MS + 10_000,
      consumerStatuses: [503],
      incidents: ['target unhealthy', 'panic', 'consumers adopted'],
    },
    async play(scene) {
      const found = new Findings();
      const path = `/topics/${scene.topic}`;
      const headers = { 'content-type': RECORDS.json };
      const send = (n: number) => scene.client.ask({ path, headers, body: { records: [{ value: { n } }] } });
      const warmUp = await send(0);
      found.expect(warmUp.status === 200, 'the producer does not work', describe(warmUp));
      await scene.freezeKafka();
      const sends = [];
      try {
        for (let n = 1; n <= 16; n += 1) {
          sends.push(send(n));
          await pause(FROZEN_MS / 16, scene.signal);
        }
        // The whole time, independent of the run's length.
        await pause(FROZEN_MS / 2, AbortSignal.timeout(FROZEN_MS / 2));
      } finally {
        await scene.thawKafka();
      }
      const replies = await Promise.all(sends);
      const acknowledged = replies.filter(({ status, text }) => status === 200 && text.includes('"offset":')).length;
      const offsets = await Promise.all(
        times(PARTITION_COUNT, (partition) => scene.client.ask({ path: `${path}/partitions/${partition}/offsets` })),
      );
      const stored = offsets.reduce((sum, { text }) => sum + Number(/"end_offset":(\d+)/.exec(text)?.[1] ?? 0), 0) - 1;
      found.expect(stored <= sends.length, `sent ${sends.length}, stored ${stored}`);
      found.expect(stored >= acknowledged, `acknowledged ${acknowledged}, stored ${stored}`);
      const odd = replies.find(({ status }) => status !== 200 && status !== 503);
      found.expect(odd === undefined, 'a produce request answered otherwise', odd && describe(odd));
      return found.list();
    },
  },
];
