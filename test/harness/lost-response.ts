/** Loses a response of a real broker: the request arrives, and its connection breaks before anyone has read the answer. */

import type { Socket } from 'node:net';
import { connectionsApiChannel } from '@platformatic/kafka';

/** Keys of requests: https://kafka.apache.org/protocol#protocol_api_keys */
export const API_KEYS = { produce: 0, initProducerId: 22, addPartitionsToTxn: 24, endTxn: 26 } as const;

export interface LostResponse {
  /** Resolves when the request is sent. Its connection reads nothing more. */
  sent: Promise<void>;
  /** Breaks the connection. */
  lose(): void;
  /** Requests of this kind since the first one. */
  readonly count: number;
  /** Must be called. */
  stop(): void;
}

/** The next request of this kind that this process sends to a broker. */
export function nextRequest(kind: keyof typeof API_KEYS): LostResponse {
  const { promise: sent, resolve } = Promise.withResolvers<void>();
  let socket: Socket | undefined;
  let count = 0;
  const onStart = ({ apiKey, connection }: { apiKey?: number; connection: { socket: Socket } }): void => {
    if (apiKey !== API_KEYS[kind]) return;
    count += 1;
    if (socket !== undefined) return;
    socket = connection.socket;
    socket.pause();
    resolve();
  };
  connectionsApiChannel.start.subscribe(onStart as never);
  return {
    sent,
    lose: () => void socket?.destroy(),
    get count() {
      return count;
    },
    stop: () => connectionsApiChannel.start.unsubscribe(onStart as never),
  };
}
