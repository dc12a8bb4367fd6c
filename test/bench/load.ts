/** Drives load at one URL for a few seconds with wrk, or with autocannon where wrk is not installed. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

export interface LoadResult {
  requestsPerSecond: number;
  requestCount: number;
  p50Ms: number;
  p99Ms: number;
  /** Broken connections and responses other than 2xx. */
  errorCount: number;
}

export interface Load {
  tool: 'wrk' | 'autocannon';
  run(url: string, options: LoadOptions): Promise<LoadResult>;
}

export interface LoadOptions {
  seconds: number;
  connections: number;
  /** Besides the content type. Default: none. */
  headers?: Readonly<Record<string, string>>;
  /** Each request has an Idempotency-Key of its own. Default: none has one. */
  isKeyed?: boolean;
}

export interface LoadRequest {
  body: string;
  contentType: string;
  /** Where files may be written. */
  directory: string;
  /** A command prefix that pins the tool to a processor. */
  prefix: readonly string[];
}

export function hasCommand(command: string, args: string[] = ['--version']): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).error === undefined;
}

export function createLoad(request: LoadRequest): Load {
  return hasCommand('wrk') ? wrkLoad(request) : autocannonLoad(request);
}

function wrkLoad({ body, contentType, directory, prefix }: LoadRequest): Load {
  const script = join(directory, 'request.lua');
  const lua = (text: string): string => `[==[${text}]==]`;
  return {
    tool: 'wrk',
    async run(url, { seconds, connections, headers = {}, isKeyed = false }) {
      const fields = Object.entries({ 'content-type': contentType, ...headers });
      const lines = fields.map(([name, value]) => `wrk.headers["${name}"] = ${lua(value)}\n`);
      const keys = isKeyed ? keyedRequests(`${process.pid}-${performance.now()}`) : '';
      writeFileSync(script, `wrk.method = "POST"\nwrk.body = ${lua(body)}\n${lines.join('')}${keys}`);
      const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--latency', '--timeout', '10s', '-s', script, url];
      const text = await output([...prefix, 'wrk', ...args]);
      const number = (pattern: RegExp): number => Number(pattern.exec(text)?.[1] ?? 0);
      const socketErrors =
        /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text)?.slice(1) ?? [];
      const percentileMs = (pattern: RegExp): number => {
        const [, value, unit] = pattern.exec(text) ?? [];
        return Number(value ?? 0) * { us: 0.001, ms: 1, s: 1_000 }[(unit ?? 'ms') as 'us' | 'ms' | 's'];
      };
      return {
        requestsPerSecond: number(/Requests\/sec:\s+([\d.]+)/),
        requestCount: number(/(\d+) requests in/),
        p50Ms: percentileMs(/50%\s+([\d.]+)(us|ms|s)/),
        p99Ms: percentileMs(/99%\s+([\d.]+)(us|ms|s)/),
        errorCount:
          number(/Non-2xx or 3xx responses: (\d+)/) + socketErrors.reduce((sum, count) => sum + Number(count), 0),
      };
    },
  };
}

/** Lua that numbers the keys of the requests. */
function keyedRequests(run: string): string {
  return `local count = 0
function request()
  count = count + 1
  wrk.headers["idempotency-key"] = "${run}-" .. count
  return wrk.format()
end
`;
}

function autocannonLoad({ body, contentType, prefix }: LoadRequest): Load {
  const program = fileURLToPath(import.meta.resolve('autocannon'));
  return {
    tool: 'autocannon',
    async run(url, { seconds, connections, headers = {}, isKeyed = false }) {
      const args = [
        ...(isKeyed ? ['-I', '-H', 'idempotency-key=[<id>]'] : []),
        ...Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}=${value}`]),
        '-m',
        'POST',
        '-b',
        body,
        '-H',
        `content-type=${contentType}`,
        '-c',
        String(connections),
        '-d',
        String(seconds),
        '-j',
        url,
      ];
      const text = await output([...prefix, process.execPath, program, ...args]);
      const result = JSON.parse(text) as {
        requests: { average: number; total: number };
        latency: { p50: number; p99: number };
        errors: number;
        non2xx: number;
      };
      return {
        requestsPerSecond: result.requests.average,
        requestCount: result.requests.total,
        p50Ms: result.latency.p50,
        p99Ms: result.latency.p99,
        errorCount: result.errors + result.non2xx,
      };
    },
  };
}

/** The output of a command. Errors: when it fails. */
export async function output([command = '', ...args]: string[]): Promise<string> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const [exitCode] = (await once(child, 'close')) as [number | null];
  if (exitCode !== 0) throw new Error(`${command} ended with ${exitCode}`);
  return text;
}
