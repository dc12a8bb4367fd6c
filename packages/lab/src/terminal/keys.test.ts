import { expect, test } from 'vitest';
import { keyActions } from './keys.ts';

test.each([
  ['e', [{ kind: 'toggle', region: 'east' }]],
  ['W', [{ kind: 'toggle', region: 'west' }]],
  ['q', [{ kind: 'stop' }]],
  ['p', [{ kind: 'promote' }]],
  ['\u0003', [{ kind: 'stop' }]],
  ['x', []],
  ['\r\n ', []],
  [
    'ew',
    [
      { kind: 'toggle', region: 'east' },
      { kind: 'toggle', region: 'west' },
    ],
  ],
])('the keys %j', (input, actions) => {
  expect(keyActions(input)).toEqual(actions);
});
