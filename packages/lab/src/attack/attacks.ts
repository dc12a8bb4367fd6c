/** Every attack, in the order in which they are played. */
import type { Attack } from './attack.ts';
import { BODIES } from './attacks/bodies.ts';
import { CONNECTIONS } from './attacks/connections.ts';
import { KAFKA } from './attacks/kafka.ts';
import { POLLS } from './attacks/polls.ts';
import { TRUST } from './attacks/trust.ts';

export const ATTACKS: readonly Attack[] = [...POLLS, ...BODIES, ...CONNECTIONS, ...TRUST, ...KAFKA];
