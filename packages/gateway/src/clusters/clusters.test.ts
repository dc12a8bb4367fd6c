import type { Promotion } from '@causeway/protocol/clusters.ts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EventLog } from '../events.ts';
import { Clusters } from './clusters.ts';

const SETTINGS = {
  active: 'east',
  members: [
    { name: 'east', regions: ['e1', 'e2'] },
    { name: 'west', regions: ['w'] },
  ],
};

function started(): { clusters: Clusters; events: EventLog } {
  const events = new EventLog();
  const clusters = new Clusters(events);
  clusters.configure(SETTINGS);
  return { clusters, events };
}

test('without a promotion the YAML says who is active, and number 0 is no promotion', () => {
  const { clusters } = started();
  expect([clusters.header, clusters.active]).toEqual(['0;east', 'east']);
  expect(clusters.learn({ number: 0, cluster: 'west' }, 'a gateway')).toBe(false);
  expect(['e1', 'e2', 'w'].map((region) => clusters.standsBy(region))).toEqual([false, false, true]);
  clusters.configure({ ...SETTINGS, active: 'west' });
  expect(clusters.header).toBe('0;west');
});

test('whatever the order in which gateways hear promotions, they end with the same one, and never go back', () => {
  const promotion = fc.record({
    number: fc.integer({ min: 0, max: 5 }),
    cluster: fc.constantFrom('east', 'west', 'north'),
  });
  const order = fc
    .array(promotion, { maxLength: 8 })
    .chain((all) =>
      fc.tuple(
        fc.shuffledSubarray(all, { minLength: all.length }),
        fc.shuffledSubarray(all, { minLength: all.length }),
      ),
    );
  const follow = (all: readonly Promotion[]): string | undefined => {
    const { clusters } = started();
    let last = clusters.promotion?.number ?? 0;
    for (const one of all) {
      clusters.learn(one, 'a test');
      expect(clusters.promotion?.number).toBeGreaterThanOrEqual(last);
      last = clusters.promotion?.number ?? 0;
      // A reload does not change it.
      clusters.configure({ ...SETTINGS });
    }
    return clusters.header;
  };
  fc.assert(fc.property(order, ([one, other]) => follow(one) === follow(other)));
});

test('an event reports each change of the active cluster, and no confirmation of it', () => {
  const { clusters, events } = started();
  clusters.learn({ number: 1, cluster: 'east' }, 'region e1 reports it');
  clusters.learnText('2;west', () => 'region w reports it');
  clusters.learnText('2;west', () => 'region e1 reports it');
  clusters.learnText('nonsense', () => 'region e1 reports it');
  clusters.learn({ number: 3, cluster: 'west' }, 'region w reports it');
  expect(events.recent()).toMatchObject([
    { type: 'promotion', cluster: 'west', from: 'east', promotion: 2, reason: 'region w reports it' },
  ]);
  expect([clusters.header, clusters.promotionCount, clusters.since.reason]).toEqual([
    '3;west',
    1,
    'region w reports it',
  ]);
});

test('without the section, what is heard is passed on, and counts once the section is there', () => {
  const clusters = new Clusters(new EventLog());
  expect([clusters.header, clusters.active, clusters.standsBy('w')]).toEqual([undefined, undefined, false]);
  clusters.learnText('4;west', () => 'region w reports it');
  expect([clusters.header, clusters.active]).toEqual(['4;west', undefined]);
  clusters.configure(SETTINGS);
  expect([clusters.active, clusters.standsBy('e1')]).toEqual(['west', true]);
});
