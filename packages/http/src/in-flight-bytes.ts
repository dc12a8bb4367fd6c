/** How many bytes of bodies and responses a process holds by default: a share of the memory that it may use. */
import { totalmem } from 'node:os';
import process from 'node:process';

const SHARE = 0.25;
const MIB = 1_048_576;
const LEAST_BYTES = 64 * MIB;
const MOST_BYTES = 512 * MIB;

/** A quarter of the memory that the machine or the container has, from 64 MiB to 512 MiB. */
export function defaultInFlightBytes(memoryBytes: number = availableBytes()): number {
  return Math.min(MOST_BYTES, Math.max(LEAST_BYTES, Math.floor(memoryBytes * SHARE)));
}

/** The limit of a container is 0, or larger than the memory of the machine, where it has no limit. */
function availableBytes(): number {
  return Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
}
