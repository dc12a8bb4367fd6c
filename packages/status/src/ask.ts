/** Reads the state of the system from a gateway; failures are sentences. */
import type { AdminAccess, ConsumerPage, RecordedEvent, System } from '@causeway/protocol/admin/model.ts';
import { noResponse, withoutControls } from './response.ts';

const TIMEOUT_MS = 3_000;
const KEPT_COUNT = 200;
/** More than a terminal shows; `--filter` finds others. */
const CONSUMER_COUNT = 1_000;

export interface Status {
  system: System;
  /** Whose token it is; `null` without one. */
  access: AdminAccess | null;
  /** The most recent events, oldest first. */
  events: readonly RecordedEvent[];
  /** Where they were asked for. */
  consumers: ConsumerPage | null;
}

/** A failure; the sentence says what to do about it. */
export type Asked = { status: Status } | { failure: string };

export interface Question {
  url: string;
  token: string | undefined;
  /** Part of a consumer; `undefined` asks for none. */
  consumerFilter: string | undefined;
}

export async function askGateway({ url, token, consumerFilter }: Question, eventCount: number): Promise<Asked> {
  const headers = {
    accept: 'application/json',
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
  const get = async (path: string): Promise<unknown> => {
    const answer = await fetch(`${url}${path}`, { headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (answer.status === 401) throw new Unusable(`The gateway at ${url} ${wantsToken(token)}`);
    if (!answer.ok) throw new Unusable(`${url} is not the admin API of a gateway: it responded with ${answer.status}.`);
    return JSON.parse(await answer.text(), withoutControls);
  };
  try {
    const [system, { events }, access, consumers] = await Promise.all([
      get('/api/topology') as Promise<System>,
      get(`/api/events?limit=${KEPT_COUNT}`) as Promise<{ events: RecordedEvent[] }>,
      token === undefined ? null : (get('/api/access') as Promise<AdminAccess>),
      consumerFilter === undefined ? null : (get(consumersPath(consumerFilter)) as Promise<ConsumerPage>),
    ]);
    // Events of regional gateways arrive late.
    const inOrder = events.toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at));
    return { status: { system, access, events: inOrder.slice(-eventCount), consumers } };
  } catch (error) {
    if (error instanceof Unusable) return { failure: error.message };
    return { failure: noResponse(url, error, TIMEOUT_MS) };
  }
}

function consumersPath(filter: string): string {
  return `/api/consumers?${new URLSearchParams({ filter, limit: String(CONSUMER_COUNT) })}`;
}

/** An unusable response; its message is the sentence. */
class Unusable extends Error {}

function wantsToken(token: string | undefined): string {
  if (token !== undefined) return 'rejects this token: it is not one of its admin.token and admin.tokens.';
  return 'requires a token: give it with --token or in CAUSEWAY_ADMIN_TOKEN.';
}
