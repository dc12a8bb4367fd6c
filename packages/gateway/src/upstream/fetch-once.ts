/** One request without a body and its whole answer, for the gateway's own questions to a target: probes, confirmations. */
import type { RequestHead } from './request-head.ts';
import type { ResponseHeaders } from './response-head.ts';
import { isStale, type Transport, type UpstreamControl } from './transport.ts';

export interface FetchedAnswer {
  readonly status: number;
  readonly headers: ResponseHeaders;
  /** The beginning of the body, up to `maxBodyBytes`. */
  readonly body: Buffer;
}

export interface FetchOptions {
  readonly signal: AbortSignal;
  readonly maxBodyBytes: number;
  /** Over a connection that never carried a request. Default: over an idle one, if there is one. */
  readonly isFresh?: boolean;
}

/**
 * Sends `request` once, and a second time over a new connection if the target had closed the first one while it was idle: send
 * nothing that must not arrive twice. Errors: `UpstreamError`, those of the system, and the signal's reason.
 */
export async function fetchOnce(
  transport: Transport,
  request: RequestHead,
  options: FetchOptions,
): Promise<FetchedAnswer> {
  const first = await attempt(transport, request, options);
  if (!(first instanceof StaleConnection)) return first;
  const second = await attempt(transport, request, { ...options, isFresh: true });
  if (second instanceof StaleConnection) throw second.cause;
  return second;
}

/** The target closed the connection before the request arrived. */
class StaleConnection {
  readonly cause: Error;

  constructor(cause: Error) {
    this.cause = cause;
  }
}

async function attempt(
  transport: Transport,
  request: RequestHead,
  { signal, maxBodyBytes, isFresh = false }: FetchOptions,
): Promise<FetchedAnswer | StaleConnection> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<FetchedAnswer | StaleConnection>();
  let control: UpstreamControl | undefined;
  let status = 0;
  let headers: ResponseHeaders = {};
  const chunks: Buffer[] = [];
  let keptBytes = 0;
  const onAbort = (): void => {
    control?.abort();
    reject(signal.reason as Error);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  transport.dispatch(
    { method: request.method, path: request.path, headers: request.headers, body: undefined },
    {
      onRequestStart(started) {
        control = started;
        return !signal.aborted;
      },
      onResponseStart(receivedStatus, receivedHeaders) {
        status = receivedStatus;
        headers = receivedHeaders;
      },
      onResponseData(chunk) {
        const kept = chunk.subarray(0, maxBodyBytes - keptBytes);
        keptBytes += kept.length;
        chunks.push(kept);
        return true;
      },
      onResponseEnd: () => resolve({ status, headers, body: Buffer.concat(chunks) }),
      onResponseError: (error) => {
        if (control !== undefined && isStale(control)) resolve(new StaleConnection(error));
        else reject(error);
      },
    },
    { isFresh },
  );
  try {
    return await promise;
  } finally {
    control = undefined;
    signal.removeEventListener('abort', onAbort);
  }
}
