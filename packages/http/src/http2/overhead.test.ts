import { expect, test } from 'vitest';
import { IndexedList } from '../indexed-list.ts';
import { Overhead } from './overhead.ts';
import type { Http2Response } from './response.ts';

const MB = 1_000_000;
/** A frame's head, and a record of TLS 1.3 of its own. */
const FRAME_BYTES = 9 + 22;

test.each([
  ['a body in frames of 16 KiB', 60 * MB, 16_384, false],
  ['a body in frames of 100 bytes, as of a client that writes single records', 60 * MB, 100, false],
  ['a body in frames of one byte', 1 * MB, 1, true],
])('%s of %d bytes: %s', (_, bodyBytes, frameBytes, isExcessive) => {
  const overhead = new Overhead();
  const bytesRead = bodyBytes + (bodyBytes / frameBytes) * FRAME_BYTES;
  overhead.closed({ req: { receivedBytes: bodyBytes } } as Http2Response);
  const connection = {
    socket: { bytesRead, bytesWritten: 0 },
    streams: new IndexedList<Http2Response>(),
    streamCount: 1,
  };
  expect(overhead.isExcessive(connection, 1_000)).toBe(isExcessive);
});
