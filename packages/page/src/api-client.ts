/** Requests to the gateway's admin API, with the operator's token where there is one. */
import type {
  AdminAccess,
  ConsumerPage,
  History,
  Promoted,
  RecordedEvent,
  Rejoined,
} from '@causeway/protocol/admin/model.ts';

/** An error response of the gateway; `isTokenRefused` when it requires another token. */
export class ApiError extends Error {
  readonly status: number;

  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ApiError';
    this.status = status;
  }

  get isTokenRefused(): boolean {
    return this.status === 401;
  }
}

export type RegionChange =
  | { kind: 'drain' | 'undrain'; region: string }
  | { kind: 'weight'; region: string; weight: number };

/** `force`: what was not replicated may be lost. `isPeerGone`: without a report, which needs the active cluster. */
export type ClusterChange =
  | { kind: 'promote'; cluster: string; force: boolean }
  | { kind: 'rejoin'; cluster: string; isPeerGone: boolean };

export type Change = RegionChange | ClusterChange;

export interface ConsumerQuestion {
  filter: string;
  region: string;
  limit: number;
  offset: number;
}

/** Errors: {@link ApiError}, with status 0 when no response arrived. */
export async function request(path: string, token: string | null, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  if (token !== null) headers.set('authorization', `Bearer ${token}`);
  let response: Response;
  try {
    response = await fetch(path, { ...init, headers, cache: 'no-store' });
  } catch (cause) {
    if (init.signal?.aborted) throw cause;
    throw new ApiError(0, 'The gateway does not respond.', { cause });
  }
  if (response.ok) return response;
  throw new ApiError(response.status, await messageOf(response));
}

async function messageOf(response: Response): Promise<string> {
  try {
    const { message } = (await response.json()) as { message?: unknown };
    if (typeof message === 'string' && message !== '') return message;
  } catch {
    // Not the gateway's own body: only the status is known.
  }
  return `The gateway responded with status ${response.status}.`;
}

export async function fetchEvents(token: string | null, signal: AbortSignal): Promise<RecordedEvent[]> {
  const headers = { accept: 'application/json' };
  const response = await request('/api/events?limit=500', token, { headers, signal });
  return ((await response.json()) as { events: RecordedEvent[] }).events;
}

/** Who the token belongs to, and what it permits. */
export async function fetchAccess(token: string | null, signal: AbortSignal): Promise<AdminAccess> {
  return (await (await request('/api/access', token, { signal })).json()) as AdminAccess;
}

export async function fetchHistory(token: string | null, signal: AbortSignal): Promise<History> {
  return (await (await request('/api/history', token, { signal })).json()) as History;
}

export async function fetchConsumers(
  question: ConsumerQuestion,
  token: string | null,
  signal: AbortSignal,
): Promise<ConsumerPage> {
  const query = new URLSearchParams({ limit: String(question.limit), offset: String(question.offset) });
  if (question.filter !== '') query.set('filter', question.filter);
  if (question.region !== '') query.set('region', question.region);
  return (await (await request(`/api/consumers?${query}`, token, { signal })).json()) as ConsumerPage;
}

export async function sendRegionChange(change: RegionChange, token: string | null): Promise<void> {
  const path = `/api/regions/${encodeURIComponent(change.region)}/${change.kind}`;
  if (change.kind === 'weight') await request(path, token, withBody('PUT', { weight: change.weight }));
  else await request(path, token, { method: 'POST' });
}

/** A promotion takes as long as replication needs. */
export async function sendClusterChange(change: ClusterChange, token: string | null): Promise<Promoted | Rejoined> {
  const path = `/api/clusters/${encodeURIComponent(change.cluster)}/${change.kind}`;
  return (await (await request(path, token, initOf(change))).json()) as Promoted | Rejoined;
}

function initOf(change: ClusterChange): RequestInit {
  if (change.kind === 'promote') return withBody('POST', { force: change.force });
  return change.isPeerGone ? withBody('POST', { isPeerGone: true }) : { method: 'POST' };
}

function withBody(method: string, body: object): RequestInit {
  return { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}
