/** The thread of a {@link GoodClient}. */
import { Agent, request } from 'node:http';
import { parentPort, workerData } from 'node:worker_threads';
import { MachinePace } from '@causeway/lab/machine-pace.ts';
import type { GoodClientReport } from './good-client.ts';

/** Pause between a response and the next request. */
const PAUSE_MS = 5;
const BODY = '{"records":[{"key":"k","value":{"good":true}}]}';

const { url, path, credentials } = workerData as { url: string; path: string; credentials: Record<string, string> };
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const headers = {
  'content-type': 'application/vnd.kafka.json.v2+json',
  'content-length': Buffer.byteLength(BODY),
  ...credentials,
};

let pace = new MachinePace();
let durationsMs: number[] = [];
let failures: string[] = [];

parentPort?.on('message', (question: 'report' | 'restart') => {
  const report: GoodClientReport = { durationsMs, failures, slowness: pace.slowness };
  parentPort?.postMessage(report);
  if (question === 'report') return;
  [durationsMs, failures] = [[], []];
  pace.close();
  pace = new MachinePace();
});

function send(): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request(url + path, { method: 'POST', agent, headers }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      response.on('end', () => resolve(response.statusCode === 200 && text.includes('"offset"') ? '' : text));
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(BODY);
  });
}

while (true) {
  const startedAtMs = performance.now();
  const failure = await send().catch(String);
  durationsMs.push(performance.now() - startedAtMs);
  if (failure !== '') failures.push(failure);
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
}
