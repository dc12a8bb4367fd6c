/** The limits of an HTTP/2 connection that Node's `http2` enforces. */
import type { ServerSessionOptions } from 'node:http2';
import type { HeadLimits } from '../refusal.ts';

export type SessionOptions = ServerSessionOptions;

/** What a header adds to the size of a list beside its name and value (RFC 9113 §6.5.2). */
const ENTRY_BYTES = 32;
/** More headers reset the stream: HPACK lets a client repeat a header of 4 KiB with each byte that it sends. */
const MAX_PAIRS = 256;

export function sessionOptions(
  { maxConcurrentStreams }: { maxConcurrentStreams: number },
  { maxHeaderBytes }: HeadLimits,
): SessionOptions {
  return {
    maxHeaderListPairs: MAX_PAIRS,
    // A target may repeat a header that Node would have only once.
    strictSingleValueFields: false,
    settings: {
      maxConcurrentStreams,
      enablePush: false,
      maxHeaderListSize: maxHeaderBytes + MAX_PAIRS * ENTRY_BYTES,
    },
  };
}
