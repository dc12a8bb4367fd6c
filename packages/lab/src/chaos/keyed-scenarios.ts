/** The scenarios for `--exactly-once`. */
import { BROKER_DETECTION_MS } from '../stack/kafka-broker.ts';
import { otherRegion } from './dice.ts';
import type { Scenario, Step } from './scenario.ts';
import { forSeconds, KILL, killed, plan, start } from './steps.ts';

/** Of each of eight producers: a transaction of a bridge is always under way. */
const BUSY_RECORDS_PER_SECOND = 20;

export const KEYED_SCENARIOS: readonly Scenario[] = [
  {
    name: 'same-key',
    title: 'each request twice at once, through two tier-1 gateways; SIGKILL of a bridge, started again after 6 s',
    allowed: KILL,
    needsKeys: true,
    hasTwins: true,
    hasSecondTier1: true,
    plan: (dice) => plan(forSeconds(start(dice), 6, killed(`${dice.region()} bridge`))),
  },
  {
    name: 'freeze-transaction',
    title: 'SIGSTOP of each bridge under load, in turn, which wakes with an open transaction after 5 s',
    allowed: KILL,
    needsKeys: true,
    recordsPerSecond: BUSY_RECORDS_PER_SECOND,
    plan: (dice) => {
      const first = dice.region();
      const steps = [first, otherRegion(first)].map((region, index): Step[] => {
        const service = `${region} bridge` as const;
        const atSecond = start(dice) + index * 11;
        return [
          ...forSeconds(atSecond, 5, [
            { kind: 'freeze', service },
            { kind: 'thaw', service },
          ]),
          { atSecond: atSecond + 5, action: { kind: 'awaitWell' } },
        ];
      });
      return plan(steps.flat());
    },
  },
  {
    name: 'kill-committing',
    title:
      'bridges killed under load, one after the other (8 times; 40 in the long form): some between commit and answer',
    allowed: KILL,
    needsKeys: true,
    recordsPerSecond: BUSY_RECORDS_PER_SECOND,
    plan: (dice, { isLong }) => {
      const atSecond = start(dice);
      const steps = Array.from({ length: isLong ? 40 : 8 }, (_, index): Step[] => {
        const service = `${dice.region()} bridge` as const;
        const killSecond = atSecond + index * 3 + dice.between(0, 1);
        return [
          ...forSeconds(killSecond, 0.5, killed(service)),
          { atSecond: killSecond + 0.5, action: { kind: 'awaitWell' } },
        ];
      });
      return plan(steps.flat());
    },
  },
  {
    name: 'kill-coordinator',
    title: "SIGKILL of the broker that coordinates a bridge's transactions, one of three, started again after 10 s",
    allowed: { ...KILL, detectionMs: BROKER_DETECTION_MS },
    needsKeys: true,
    brokerCount: 3,
    plan: (dice) =>
      plan(
        forSeconds(start(dice), 10, [
          { kind: 'killCoordinator', region: dice.region() },
          { kind: 'restartCoordinator' },
        ]),
      ),
  },
];
