/** Descriptions of sessions, for tests of the parts that write and read them. */
import type { SessionDescription } from '@causeway/bridge/ownership/session-entry.ts';

/** Of a consumer that has subscribed to nothing. */
export const IDLE_SESSION: SessionDescription = {
  options: {
    format: 'json',
    resetPolicy: 'earliest',
    fetchMinBytes: 1,
    requestTimeoutMs: 30_000,
    isAutoCommit: true,
    isolationLevel: 'read_uncommitted',
  },
  subscription: { kind: 'none' },
  seeks: [],
};
