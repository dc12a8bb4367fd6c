/** A real Prometheus for a running system: the repository's configuration and rules, with a test's targets and times. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findFreePorts } from '@causeway/lab/stack/ports.ts';
import { LabProcess, Reaper } from '@causeway/lab/stack/process.ts';
import { request } from 'undici';
import { parse, stringify } from 'yaml';

const CONFIG = fileURLToPath(new URL('../../config/prometheus', import.meta.url));
const SCRAPE_INTERVAL = '1s';
/** How long a condition holds before an alert fires; replaces the times in the rules. */
const ALERT_DELAY = '1s';
const START_TIMEOUT_MS = 60_000;

export interface QuerySample {
  metric: Record<string, string>;
  /** Unix seconds, and the value as text. */
  value: [number, string];
}

export interface TestPrometheus {
  /** Errors: Prometheus' own message, for an invalid query. */
  query(expression: string): Promise<QuerySample[]>;
  /** The labels of firing alerts. */
  firing(): Promise<Record<string, string>[]>;
  close(): Promise<void>;
}

/** `targets`: `host:port` by the job's name in config/prometheus/prometheus.yml. */
export async function startPrometheus(targets: Record<string, readonly string[]>): Promise<TestPrometheus> {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-prometheus-'));
  writeConfig(directory, targets);
  const [port] = await findFreePorts(1);
  const url = `http://127.0.0.1:${port}`;
  const reaper = new Reaper();
  const close = async (): Promise<void> => {
    await server?.stop();
    await reaper.close();
    rmSync(directory, { recursive: true, force: true });
  };
  let server: LabProcess | undefined;
  try {
    server = await LabProcess.start({
      name: 'prometheus',
      command: 'prometheus',
      args: [
        `--config.file=${join(directory, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(directory, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--log.level=warn',
      ],
      logFile: join(directory, 'prometheus.log'),
      reaper,
    });
    await server.waitUntilReady(() => answers(`${url}/-/ready`), { timeoutMs: START_TIMEOUT_MS });
  } catch (error) {
    await close();
    throw error;
  }
  const query = async (expression: string): Promise<QuerySample[]> => {
    const { statusCode, body } = await request(`${url}/api/v1/query?query=${encodeURIComponent(expression)}`);
    const answer = (await body.json()) as { error?: string; data?: { result: QuerySample[] } };
    if (statusCode !== 200) throw new Error(`${expression}: ${answer.error}`);
    return answer.data?.result ?? [];
  };
  return {
    query,
    close,
    firing: async () => (await query('ALERTS{alertstate="firing"}')).map(({ metric }) => metric),
  };
}

function writeConfig(directory: string, targets: Record<string, readonly string[]>): void {
  const config = parse(readFileSync(join(CONFIG, 'prometheus.yml'), 'utf8'));
  config.global = { scrape_interval: SCRAPE_INTERVAL, evaluation_interval: SCRAPE_INTERVAL };
  for (const job of config.scrape_configs) job.static_configs = [{ targets: targets[job.job_name] ?? [] }];
  writeFileSync(join(directory, 'prometheus.yml'), stringify(config));
  for (const file of config.rule_files) {
    const rules = readFileSync(join(CONFIG, file), 'utf8');
    // The expressions are not changed.
    writeFileSync(join(directory, file), rules.replaceAll(/^( +for:) \S+$/gm, `$1 ${ALERT_DELAY}`));
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    const { statusCode, body } = await request(url);
    await body.dump();
    return statusCode === 200;
  } catch {
    return false;
  }
}
