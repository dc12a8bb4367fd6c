/** The size of the explored system, unless a test says otherwise. */
import process from 'node:process';
import type { Bounds } from './session-state.ts';

export const BOUNDS: Bounds = {
  bridgeCount: 2,
  gatewayCount: 2,
  pollCount: 3,
  faultCount: 1,
  isMember: true,
  isDeleting: false,
  faults: ['die', 'freeze', 'end', 'giveUp'],
};

/** An exploration takes seconds on an idle processor, and longer on a busy one. */
export const EXPLORATION_TIMEOUT_MS = 600_000;

/** `npm run model`. In `npm test`, explorations of seconds have smaller bounds, or are left out. */
export const IS_FULL = process.env['CAUSEWAY_MODEL'] === 'full';
