/** Drives load at one URL for a few seconds with h2load, over HTTP/2 or HTTP/1.1. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type LoadRequest, type LoadResult, output } from './load.ts';
import { percentile } from './statistics.ts';

/** How the requests in flight are spread: each connection carries `streams` at a time. */
export interface H2Load {
  seconds: number;
  connections: number;
  /** 1 for HTTP/1.1. */
  streams: number;
  isHttp1: boolean;
}

/** `http://` URLs get HTTP/2 by prior knowledge, `https://` URLs by ALPN, unless `isHttp1`. */
export function createH2Load({ body, contentType, directory, prefix }: LoadRequest): {
  run(url: string, options: H2Load): Promise<LoadResult>;
} {
  const bodyFile = join(directory, 'h2load-body');
  const logFile = join(directory, 'h2load.log');
  writeFileSync(bodyFile, body);
  return {
    async run(url, { seconds, connections, streams, isHttp1 }) {
      rmSync(logFile, { force: true });
      const text = await output([
        ...[...prefix, 'h2load', '-t1', `-c${connections}`, `-m${streams}`, `-D${seconds}`],
        ...['-d', bodyFile, '-H', `content-type: ${contentType}`, `--log-file=${logFile}`],
        ...(isHttp1 ? ['--h1'] : []),
        url,
      ]);
      const requests = readLog(readFileSync(logFile, 'utf8'));
      const durationsMs = requests.map(({ durationMs }) => durationMs);
      return {
        requestsPerSecond: Number(/finished in .*?, ([\d.]+) req\/s/.exec(text)?.[1] ?? 0),
        requestCount: requests.length,
        p50Ms: percentile(durationsMs, 50),
        p99Ms: percentile(durationsMs, 99),
        errorCount: requests.filter(({ status }) => status < 200 || status > 299).length + brokenCount(text),
      };
    },
  };
}

/** Lines of start, status and microseconds. */
function readLog(text: string): { status: number; durationMs: number }[] {
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [, status, microseconds] = line.split('\t').map(Number);
      return { status: status ?? 0, durationMs: (microseconds ?? 0) / 1_000 };
    });
}

/** Requests without a response, which the log omits. At the end of its time h2load abandons those in flight without counting them. */
function brokenCount(text: string): number {
  return Number(/(\d+) errored/.exec(text)?.[1] ?? 0) + Number(/(\d+) timeout/.exec(text)?.[1] ?? 0);
}
