/** Sends the gateway's own requests to a target (probes, confirmations) and returns the whole response. */
import type { RequestHead } from './request-head.ts';
import type { ResponseHeaders } from './response-head.ts';
import { isStale, type Transport, type UpstreamControl } from './transport.ts';

export interface FetchedResponse {
  readonly status: number;
  readonly headers: ResponseHeaders;
  /** The beginning of the body, up to `maxBodyBytes`. */
  readonly body: Buffer;
}

export interface FetchOptions {
  readonly signal: AbortSignal;
  readonly maxBodyBytes: number;
  /** Of the request. Default: none. */
  readonly body?: Buffer;
  /** Use a connection that never carried a request. Default: an idle connection if there is one. */
  readonly isFresh?: boolean;
  /** Waits for no other request. */
  readonly isUrgent?: boolean;
}

/**
 * Sends `request`, and resends it over a new connection if the target closed an idle one under it. Only for
 * requests that may arrive twice. Errors: `UpstreamError`, errors of the system, and the signal's reason.
 */
export async function fetchOnce(
  transport: Transport,
  request: RequestHead,
  options: FetchOptions,
): Promise<FetchedResponse> {
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
  { signal, maxBodyBytes, body, isFresh = false, isUrgent = false }: FetchOptions,
): Promise<FetchedResponse | StaleConnection> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<FetchedResponse | StaleConnection>();
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
    { method: request.method, path: request.path, headers: request.headers, body },
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
        // An empty slice would hold the memory of its chunk.
        if (kept.length > 0) chunks.push(kept);
        return true;
      },
      onResponseEnd: () => resolve({ status, headers, body: Buffer.concat(chunks) }),
      onResponseError: (error) => {
        if (control !== undefined && isStale(control)) resolve(new StaleConnection(error));
        else reject(error);
      },
    },
    { isFresh, isUrgent },
  );
  try {
    return await promise;
  } finally {
    control = undefined;
    signal.removeEventListener('abort', onAbort);
  }
}
