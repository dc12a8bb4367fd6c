/** The thread of a {@link PacedClient}. */
import { Agent, request } from 'node:http';
import { parentPort, workerData } from 'node:worker_threads';
import type { PacedClientOptions, PacedClientReport } from './paced-client.ts';

/** The shortest that a timer has: what a burst would wait for in its own queue is not what the requests cost others. */
const TICK_MS = 1;
const MS_PER_SECOND = 1_000;
/** So many connections of its own: a response that is late holds back no other request. */
const CONNECTIONS = 32;

const { url, path, headers, body, requestsPerSecond } = workerData as PacedClientOptions;
const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
const allHeaders = { ...headers, 'content-length': Buffer.byteLength(body) };

let report: PacedClientReport = { sentCount: 0, statusCounts: {} };
let timer: NodeJS.Timeout | undefined;

function count(outcome: number | string): void {
  report.statusCounts[outcome] = (report.statusCounts[outcome] ?? 0) + 1;
}

function send(): void {
  report.sentCount += 1;
  const sent = request(url + path, { method: 'POST', agent, headers: allHeaders }, (response) => {
    count(response.statusCode ?? 0);
    response.resume();
  });
  sent.on('error', (error) => count(error.message));
  sent.end(body);
}

/** Sends at its rate, whether or not responses come. */
function start(): void {
  const startedAtMs = performance.now();
  report = { sentCount: 0, statusCounts: {} };
  timer = setInterval(() => {
    const dueCount = ((performance.now() - startedAtMs) * requestsPerSecond) / MS_PER_SECOND;
    while (report.sentCount < dueCount) send();
  }, TICK_MS);
}

parentPort?.on('message', (what: 'start' | 'report' | 'stop') => {
  if (what === 'start') start();
  if (what === 'stop') clearInterval(timer);
  parentPort?.postMessage(report);
});
