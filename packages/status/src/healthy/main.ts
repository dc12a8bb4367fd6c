/** `causeway healthy [URL]`: exits with 0 if a program responds with 2xx, for health checks of containers, which have no curl. */
import { get as getHttp, type IncomingMessage } from 'node:http';
import { get as getHttps } from 'node:https';
import process from 'node:process';

/** Gateways and bridges respond to it where clients connect; both listen on 8080 by default. */
const DEFAULT_URL = 'http://127.0.0.1:8080/healthy';
/** Less than the time limit of the image's HEALTHCHECK, so that the reason is printed. */
const TIMEOUT_MS = 2_000;

/** Errors: `Error` if there is no response in time. */
function statusOf(url: URL): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const onResponse = (response: IncomingMessage): void => {
    response.resume();
    resolve(response.statusCode ?? 0);
  };
  const options = { signal: AbortSignal.timeout(TIMEOUT_MS), agent: false } as const;
  // It asks the process beside it whether that one lives: whose certificate it shows says nothing about that.
  if (url.protocol === 'https:')
    getHttps(url, { ...options, rejectUnauthorized: false }, onResponse).on('error', reject);
  else getHttp(url, options, onResponse).on('error', reject);
  return promise;
}

async function main(): Promise<number> {
  const text = process.argv[2] ?? (process.env['CAUSEWAY_HEALTH_URL'] || DEFAULT_URL);
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    process.stderr.write(`${text} is not a URL such as ${DEFAULT_URL}\n`);
    return 2;
  }
  try {
    const status = await statusOf(url);
    if (status >= 200 && status < 300) return 0;
    process.stderr.write(`${text} responds with ${status}\n`);
  } catch (error) {
    process.stderr.write(`${text} does not respond: ${error instanceof Error ? error.message : String(error)}\n`);
  }
  return 1;
}

process.exitCode = await main();
