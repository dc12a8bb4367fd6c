/** Sends the requests of an open topology page to a gateway's admin API, to measure its cost for the data path. */
import { setInterval as ticks } from 'node:timers/promises';
import { createParser } from 'eventsource-parser';
import { request } from 'undici';

/** Interval at which the page loads its consumers. */
const CONSUMERS_INTERVAL_MS = 2_000;

export interface OpenPage {
  /** Updates received. */
  readonly updateCount: number;
  close(): Promise<void>;
}

/** Errors: when the page could not be opened. What fails later is thrown by `close`. */
export async function openPage(adminUrl: string): Promise<OpenPage> {
  const closing = new AbortController();
  const { signal } = closing;
  await Promise.all(['/', '/api/history', '/api/events?limit=500'].map((path) => read(`${adminUrl}${path}`, signal)));
  const live = await request(`${adminUrl}/api/live`, { signal });
  let updateCount = 0;
  const watch = async (): Promise<void> => {
    const parser = createParser({
      onEvent({ event }) {
        if (event === 'system') updateCount += 1;
      },
    });
    live.body.setEncoding('utf8');
    for await (const text of live.body) parser.feed(String(text));
  };
  const ask = async (): Promise<void> => {
    for await (const _ of ticks(CONSUMERS_INTERVAL_MS, undefined, { signal })) {
      await read(`${adminUrl}/api/consumers?limit=200`, signal);
    }
  };
  const done = Promise.all([watch(), ask()]).catch((error) => {
    if (!signal.aborted) throw error;
  });
  return {
    get updateCount() {
      return updateCount;
    },
    async close() {
      closing.abort();
      await done;
    },
  };
}

async function read(url: string, signal: AbortSignal): Promise<void> {
  const { statusCode, body } = await request(url, { signal, headers: { accept: 'application/json' } });
  await body.dump();
  if (statusCode !== 200) throw new Error(`${url} answered ${statusCode}`);
}
