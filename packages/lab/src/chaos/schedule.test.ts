import { expect, test } from 'vitest';
import { buildSchedule, runSchedule, type ScheduledAction } from './schedule.ts';

test.each([
  ['nothing', { kills: [], restores: [] }, []],
  [
    'one of each',
    { kills: [{ region: 'east', atSecond: 10 }], restores: [{ region: 'east', atSecond: 25 }] },
    ['kill east@10', 'restore east@25'],
  ],
  [
    'in the order of time, whatever the order of the options',
    {
      kills: [
        { region: 'west', atSecond: 30 },
        { region: 'east', atSecond: 5.5 },
      ],
      restores: [{ region: 'east', atSecond: 20 }],
    },
    ['kill east@5.5', 'restore east@20', 'kill west@30'],
  ],
  [
    'a kill before a restore of the same second',
    { kills: [{ region: 'west', atSecond: 7 }], restores: [{ region: 'east', atSecond: 7 }] },
    ['kill west@7', 'restore east@7'],
  ],
] as const)('a schedule: %s', (_, given, expected) => {
  const schedule = buildSchedule(given);
  expect(schedule.map(({ action, region, atSecond }) => `${action} ${region}@${atSecond}`)).toEqual(expected);
});

test('actions are performed in turn, and none after the signal', async () => {
  const stop = new AbortController();
  const performed: string[] = [];
  const schedule = buildSchedule({
    kills: [
      { region: 'east', atSecond: 0 },
      { region: 'west', atSecond: 600 },
    ],
    restores: [{ region: 'east', atSecond: 0.01 }],
  });
  const perform = ({ action, region }: ScheduledAction): void => {
    performed.push(`${action} ${region}`);
    if (action === 'restore') stop.abort();
  };
  await runSchedule(schedule, { perform, signal: stop.signal });
  expect(performed).toEqual(['kill east', 'restore east']);
});
