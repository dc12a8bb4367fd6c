/** The conformance suite: every operation of the REST API with every documented response, for any server of the API. */
import { describe, test } from 'vitest';
import { type RunContext, runScenario, type Scenario } from './scenario.ts';
import { CONSUMERS } from './scenarios/consumers.ts';
import { PRODUCE } from './scenarios/produce.ts';
import { POSITIONS, READING } from './scenarios/records.ts';
import { SERVICE } from './scenarios/service.ts';
import { SUBSCRIPTIONS } from './scenarios/subscriptions.ts';
import { TOPICS } from './scenarios/topics.ts';

export interface Target {
  /** A gateway responds to requests for health and metrics itself. */
  kind: 'bridge' | 'gateway';
}

export const GROUPS: Readonly<Record<string, readonly Scenario[]>> = {
  'the service': SERVICE,
  topics: TOPICS,
  producing: PRODUCE,
  consumers: CONSUMERS,
  'what is read': SUBSCRIPTIONS,
  reading: READING,
  positions: POSITIONS,
};

/** Declares the suite. Calls `contextOf` when a scenario runs. */
export function conformance(target: Target, contextOf: (scenario: Scenario) => RunContext): void {
  for (const [group, scenarios] of Object.entries(GROUPS)) {
    describe.concurrent(group, () => {
      for (const scenario of scenarios) {
        if (scenario.only !== undefined && scenario.only !== target.kind) continue;
        test(scenario.title, () => runScenario(scenario, contextOf(scenario)));
      }
    });
  }
}
