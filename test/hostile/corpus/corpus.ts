/** All hostile inputs over HTTP/1.1. */
import type { HostileCase } from '../hostile-case.ts';
import { CHUNK_CASES } from './chunks.ts';
import { FRAMING } from './framing.ts';
import { HEADS } from './heads.ts';
import { PASSING_ON } from './passing-on.ts';

export const CORPUS: readonly HostileCase[] = [...FRAMING, ...CHUNK_CASES, ...HEADS, ...PASSING_ON];
