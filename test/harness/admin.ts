/** A client of a gateway's admin API. */
import type { RecordedEvent, Sample, System } from '@causeway/protocol/admin/model.ts';
import { createParser } from 'eventsource-parser';
import { request } from 'undici';
import { TEST_TOKEN } from './gateway.ts';

export interface AdminAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
  /** Parsed; `undefined` if it is not JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape.
  body: any;
}

export interface AskOptions {
  method?: 'GET' | 'POST' | 'PUT';
  body?: string;
  /** Default: the token of test gateways; `undefined` sends none. */
  token?: string | undefined;
  headers?: Record<string, string>;
}

export async function ask(url: string, options: AskOptions = {}): Promise<AdminAnswer> {
  const { method = 'GET', body, headers = {} } = options;
  const token = 'token' in options ? options.token : TEST_TOKEN;
  const answer = await request(url, {
    method,
    headers: { ...headers, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
    ...(body === undefined ? {} : { body }),
  });
  const text = await answer.body.text();
  const isJson = String(answer.headers['content-type']).includes('json');
  return {
    status: answer.statusCode,
    headers: answer.headers,
    text,
    body: isJson ? (JSON.parse(text) as unknown) : undefined,
  };
}

export async function systemOf(adminUrl: string): Promise<System> {
  return (await ask(`${adminUrl}/api/topology`)).body as System;
}

/** The messages of a live stream so far. */
export interface LiveView {
  systems: System[];
  events: RecordedEvent[];
  samples: Sample[];
  close(): void;
}

export async function watchLive(adminUrl: string, headers: Record<string, string> = {}): Promise<LiveView> {
  const { body, statusCode } = await request(`${adminUrl}/api/live`, {
    headers: { authorization: `Bearer ${TEST_TOKEN}`, ...headers },
    bodyTimeout: 0,
  });
  if (statusCode !== 200) throw new Error(`the live stream has status ${statusCode}`);
  const view: LiveView = { systems: [], events: [], samples: [], close: () => body.destroy() };
  const parser = createParser({
    onEvent({ event, data }) {
      if (event === 'system') view.systems.push(JSON.parse(data) as System);
      if (event === 'event') view.events.push(JSON.parse(data) as RecordedEvent);
      if (event === 'sample') view.samples.push(JSON.parse(data) as Sample);
    },
  });
  body.setEncoding('utf8');
  body.on('data', (text: string) => parser.feed(text));
  body.on('error', () => {});
  return view;
}
