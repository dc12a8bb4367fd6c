/** The scenarios, most important first; those with keys are the last. */
import { BROKER_DETECTION_MS } from '../stack/kafka-broker.ts';
import { REGION_NAMES } from '../stack/regions.ts';
import { otherRegion } from './dice.ts';
import { KEYED_SCENARIOS } from './keyed-scenarios.ts';
import type { Scenario, ServiceName, Step } from './scenario.ts';
import { CUT, forSeconds, KILL, killed, LARGE, ORDERLY, plan, start, WARM_UP_SECONDS } from './steps.ts';

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'kill-bridge',
    title: 'SIGKILL of a bridge, started again after 8 s',
    allowed: KILL,
    plan: (dice) => plan(forSeconds(start(dice), 8, killed(`${dice.region()} bridge`))),
  },
  {
    name: 'kill-gateway',
    title: 'SIGKILL of a regional gateway, started again after 8 s',
    allowed: KILL,
    plan: (dice) => plan(forSeconds(start(dice), 8, killed(`${dice.region()} gateway`))),
  },
  {
    name: 'kill-region',
    title: 'SIGKILL of a region, started again after 8 s',
    allowed: KILL,
    plan: (dice) => {
      const region = dice.region();
      const actions = [{ kind: 'killRegion', region } as const, { kind: 'restoreRegion', region } as const] as const;
      return plan(forSeconds(start(dice), 8, actions));
    },
  },
  {
    name: 'large-bodies',
    title: 'SIGKILL of a region under bodies of 8 MiB, and of the other one when it is back',
    allowed: LARGE,
    hasLargeBodies: true,
    plan: (dice) => {
      const region = dice.region();
      const atSecond = start(dice) + 4;
      const steps = [region, otherRegion(region)].flatMap((victim, index): Step[] => [
        ...forSeconds(atSecond + index * 14, 6, [
          { kind: 'killRegion', region: victim },
          { kind: 'restoreRegion', region: victim },
        ]),
        { atSecond: atSecond + index * 14 + 6, action: { kind: 'awaitWell' } },
      ]);
      return plan(steps);
    },
  },
  {
    name: 'freeze-bridge',
    title: 'SIGSTOP of a bridge, SIGCONT after 20 s',
    allowed: KILL,
    plan: (dice) => {
      const service = `${dice.region()} bridge` as const;
      const actions = [{ kind: 'freeze', service } as const, { kind: 'thaw', service } as const] as const;
      return plan(forSeconds(start(dice), 20, actions));
    },
  },
  {
    name: 'drain-region',
    title: 'a region drained by the admin API, undrained after 10 s',
    allowed: ORDERLY,
    plan: (dice) => {
      const region = dice.region();
      return plan(forSeconds(start(dice), 10, [{ kind: 'drain', region } as const, { kind: 'undrain', region }]));
    },
  },
  {
    name: 'stop-bridge',
    title: 'SIGTERM of a bridge, started again after 6 s',
    allowed: ORDERLY,
    plan: (dice) => {
      const service = `${dice.region()} bridge` as const;
      return plan(forSeconds(start(dice), 6, [{ kind: 'stop', service } as const, { kind: 'start', service }]));
    },
  },
  {
    name: 'stop-gateway',
    title: 'SIGTERM of a regional gateway while its bridge keeps running, started again after 6 s',
    allowed: ORDERLY,
    plan: (dice) => {
      const service = `${dice.region()} gateway` as const;
      return plan(forSeconds(start(dice), 6, [{ kind: 'stop', service } as const, { kind: 'start', service }]));
    },
  },
  {
    name: 'rolling-restart',
    title: 'SIGTERM and start of every process, one after the other',
    allowed: ORDERLY,
    hasSecondTier1: true,
    plan: (dice) => {
      const first = dice.region();
      const services: ServiceName[] = [
        ...[first, otherRegion(first)].flatMap((region) => [`${region} bridge`, `${region} gateway`] as const),
        'tier-1 gateway',
        'second tier-1 gateway',
      ];
      const atSecond = start(dice);
      return plan(
        services.flatMap((service) => [
          { atSecond, action: { kind: 'stop', service } },
          { atSecond, action: { kind: 'start', service } },
          { atSecond, action: { kind: 'awaitWell' } },
        ]),
      );
    },
  },
  {
    name: 'regions-in-turn',
    title: 'east and west killed in turn (4 times; 20 in the long form)',
    allowed: KILL,
    plan: (dice, { isLong }) => {
      const atSecond = start(dice);
      const steps = Array.from({ length: isLong ? 20 : 4 }, (_, index): Step[] => {
        const region = REGION_NAMES[index % 2] ?? 'east';
        const killSecond = atSecond + index * 7;
        return [
          ...forSeconds(killSecond, 3, [
            { kind: 'killRegion', region },
            { kind: 'restoreRegion', region },
          ]),
          { atSecond: killSecond + 3, action: { kind: 'awaitWell' } },
        ];
      });
      return plan(steps.flat());
    },
  },
  {
    name: 'flapping-bridge',
    title: 'a bridge killed and started every 3 s (for 20 s; a minute in the long form)',
    allowed: KILL,
    plan: (dice, { isLong }) => {
      const service = `${dice.region()} bridge` as const;
      const atSecond = start(dice);
      return plan(
        Array.from({ length: isLong ? 20 : 7 }, (_, index) =>
          forSeconds(atSecond + index * 3, 0, killed(service)),
        ).flat(),
      );
    },
  },
  {
    name: 'weights',
    title: 'weights changed every second, for 15 s',
    allowed: ORDERLY,
    plan: (dice) =>
      plan(
        Array.from({ length: 15 }, (_, index): Step => {
          const east = Math.round(dice.between(0, 100));
          const weights = index === 14 ? { east: 50, west: 50 } : { east, west: 100 - east };
          return { atSecond: WARM_UP_SECONDS + index, action: { kind: 'setWeights', weights } };
        }),
      ),
  },
  {
    name: 'broken-yaml',
    title: 'the tier-1 gateway reads broken YAML while a region is killed',
    allowed: KILL,
    plan: (dice) => {
      const region = dice.region();
      const atSecond = start(dice);
      return plan([
        { atSecond, action: { kind: 'breakYaml' } },
        { atSecond: atSecond + 1, action: { kind: 'killRegion', region } },
        { atSecond: atSecond + 7, action: { kind: 'restoreRegion', region } },
        { atSecond: atSecond + 8, action: { kind: 'mendYaml' } },
      ]);
    },
  },
  {
    name: 'renew-certificates',
    title: 'new keys and certificates for every gateway and bridge, 3 times (with --tls)',
    allowed: ORDERLY,
    needsTls: true,
    plan: (dice) => {
      const atSecond = start(dice);
      return plan([0, 4, 8].map((second) => ({ atSecond: atSecond + second, action: { kind: 'renewCertificates' } })));
    },
  },
  {
    name: 'kill-tier1',
    title: 'SIGKILL of one of two tier-1 gateways, started again after 8 s',
    allowed: { ...KILL, brokenConnections: 'ofOwnGateway' },
    hasSecondTier1: true,
    plan: (dice) => plan(forSeconds(start(dice), 8, killed('tier-1 gateway'))),
  },
  {
    name: 'kill-broker',
    title: 'SIGKILL of one of three Kafka brokers, started again after 10 s',
    allowed: { ...KILL, detectionMs: BROKER_DETECTION_MS },
    brokerCount: 3,
    plan: (dice) => {
      const broker = 1 + Math.floor(dice.between(0, 3));
      return plan(
        forSeconds(start(dice), 10, [
          { kind: 'killBroker', broker },
          { kind: 'restartBroker', broker },
        ]),
      );
    },
  },
  {
    name: 'cut-region',
    title: 'east cut off from tier-1 and west for 20 s, Kafka reachable from it',
    allowed: CUT,
    hasRegionNetwork: true,
    plan: (dice) =>
      plan(
        forSeconds(start(dice), 20, [
          { kind: 'cut', link: 'regions' },
          { kind: 'heal', link: 'regions' },
        ]),
      ),
  },
  {
    name: 'cut-region-kafka',
    title: 'east cut off from tier-1, west and Kafka for 20 s',
    allowed: CUT,
    hasRegionNetwork: true,
    plan: (dice) => {
      const atSecond = start(dice);
      const steps = (['cut', 'heal'] as const).flatMap((kind, index) =>
        (['regions', 'kafka'] as const).map(
          (link): Step => ({ atSecond: atSecond + 20 * index, action: { kind, link } }),
        ),
      );
      return plan(steps);
    },
  },
  ...KEYED_SCENARIOS,
];
