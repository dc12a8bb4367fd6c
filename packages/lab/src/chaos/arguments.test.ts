import { expect, test } from 'vitest';
import { parseChaosArguments } from './arguments.ts';
import { CLUSTER_SCENARIOS } from './cluster-scenarios.ts';
import { Dice } from './dice.ts';
import { SCENARIOS } from './scenarios.ts';

test('without arguments every scenario runs, with any seed', () => {
  expect(parseChaosArguments([])).toEqual({
    kind: 'run',
    options: {
      scenarios: SCENARIOS,
      seed: undefined,
      isLong: false,
      isSecure: false,
      isExactlyOnce: false,
      directory: undefined,
    },
  });
});

test('scenarios can be chosen, in the order of the arguments', () => {
  const parsed = parseChaosArguments([
    '--scenario',
    'kill-region',
    '--scenario',
    'kill-bridge',
    '--seed',
    '7',
    '--long',
    '--tls',
    '--exactly-once',
  ]);
  expect(parsed).toMatchObject({
    kind: 'run',
    options: {
      scenarios: [{ name: 'kill-region' }, { name: 'kill-bridge' }],
      seed: 7,
      isLong: true,
      isSecure: true,
      isExactlyOnce: true,
    },
  });
});

test('faults are planted into each scenario', () => {
  const plants = ['--plant', 'lost', '--plant', 'stored-twice'];
  const parsed = parseChaosArguments(['--exactly-once', '--scenario', 'same-key', ...plants]);
  expect(parsed).toMatchObject({
    kind: 'run',
    options: { scenarios: [{ name: 'same-key', plants: ['lost', 'stored-twice'] }] },
  });
});

test('two clusters have scenarios of their own', () => {
  const common = { seed: undefined, directory: undefined };
  expect(parseChaosArguments(['--clusters'])).toEqual({
    kind: 'clusters',
    options: { ...common, scenarios: CLUSTER_SCENARIOS },
  });
  expect(parseChaosArguments(['--clusters', '--scenario', 'split', '--seed', '7'])).toMatchObject({
    kind: 'clusters',
    options: { scenarios: [{ name: 'split' }], seed: 7 },
  });
});

test.each([
  [['--list'], 'list'],
  [['--help', '--list'], 'help'],
])('%j', (argv, kind) => {
  expect(parseChaosArguments(argv)).toEqual({ kind });
});

test.each([
  [['--scenario', 'rain'], 'There is no scenario rain; --list names them.'],
  [['--seed', 'x'], '--seed x: must be a whole number up to 4294967295.'],
  [['--seed', '4294967296'], '--seed 4294967296: must be a whole number up to 4294967295.'],
  [['--plant', 'lost'], '--plant needs --exactly-once.'],
  [['--clusters', '--scenario', 'kill-region'], 'There is no scenario kill-region; --list names them.'],
  [['--scenario', 'kill-cluster'], 'There is no scenario kill-cluster; --list names them.'],
  [['--clusters', '--tls'], '--tls does not work with --clusters.'],
  [['--clusters', '--exactly-once'], '--exactly-once does not work with --clusters.'],
  [['--plant', 'lost', '--exactly-once', '--tls'], '--plant does not work with --tls.'],
  [['--plant', 'x', '--exactly-once'], '--plant x: must be stored-twice, lost, another-answer, uncommitted.'],
])('%j is refused', (argv, message) => {
  expect(() => parseChaosArguments(argv)).toThrow(message);
});

test('an unknown option is rejected', () => {
  expect(() => parseChaosArguments(['--rain'])).toThrow(/--rain/);
});

test('the same seed plans the same scenario, another seed a different one', () => {
  const plans = (seed: number) => SCENARIOS.map(({ plan }) => plan(new Dice(seed), { isLong: false }));
  expect(plans(5)).toEqual(plans(5));
  expect(plans(5)).not.toEqual(plans(6));
});

test('steps are in chronological order, before the end', () => {
  const plans = SCENARIOS.map(({ plan }) => plan(new Dice(1), { isLong: true }));
  for (const { steps, endSecond } of [...plans, ...CLUSTER_SCENARIOS.map(({ plan }) => plan(new Dice(1)))]) {
    const seconds = steps.map(({ atSecond }) => atSecond);
    expect(seconds).toEqual(seconds.toSorted((a, b) => a - b));
    expect(endSecond).toBeGreaterThan(Math.max(...seconds));
  }
});
