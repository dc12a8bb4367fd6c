/** One request without a body, for its status alone. */
import type { UpstreamControl } from './connection.ts';
import type { ConnectionPool } from './connection-pool.ts';
import type { RequestHead } from './request-head.ts';

/** The answer's status; its body is dropped. Errors: `UpstreamError`, those of the system, and the signal's reason. */
export function ask(pool: ConnectionPool, request: RequestHead, signal: AbortSignal): Promise<number> {
  if (signal.aborted) return Promise.reject(signal.reason as Error);
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  let control: UpstreamControl | undefined;
  let status = 0;
  const onAbort = (): void => {
    control?.abort();
    reject(signal.reason as Error);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  pool.dispatch(
    { ...request, body: undefined },
    {
      onRequestStart(connection) {
        control = connection;
        return !signal.aborted;
      },
      onResponseStart(told) {
        status = told;
      },
      onResponseData: () => true,
      onResponseEnd: () => resolve(status),
      onResponseError: reject,
    },
  );
  return promise.finally(() => {
    control = undefined;
    signal.removeEventListener('abort', onAbort);
  });
}
