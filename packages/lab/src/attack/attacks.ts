/** Every attack, in the order in which the run plays them. */
import type { Attack } from './attack.ts';
import { BODIES } from './attacks/bodies.ts';
import { CONNECTIONS } from './attacks/connections.ts';
import { KAFKA } from './attacks/kafka.ts';
import { POLLS } from './attacks/polls.ts';
import { TRUST } from './attacks/trust.ts';

export const ATTACKS: readonly Attack[] = [...POLLS, ...BODIES, ...CONNECTIONS, ...TRUST, ...KAFKA];
