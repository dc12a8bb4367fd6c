/** Kafka Connect's REST API: the connectors of MirrorMaker, their states and their offsets. Failures are sentences for operators. */
import type { ConnectorOffset } from '@causeway/status/clusters/connector-offset.ts';
import { reasonOf } from '@causeway/status/response.ts';
import type { ConnectorStatus } from './connector-state.ts';

/** A worker waits for others up to 90 s (`DEFAULT_REST_REQUEST_TIMEOUT_MS`); to ask once more costs nothing. */
const TIMEOUT_MS = 20_000;
const NOT_FOUND = 404;
const CONFLICT = 409;
const SOURCE_CLASS = /(?:^|\.)MirrorSource(?:Connector)?$/;
/** Connect takes a class by its short names, too. */
const MIRROR_CLASS = /(?:^|\.)Mirror(?:Source|Checkpoint|Heartbeat)(?:Connector)?$/;

/** One of MirrorMaker's connectors. */
export interface MirrorConnector {
  name: string;
  /** Whether it copies records, and so has offsets. */
  isSource: boolean;
  source: string;
  target: string;
}

interface Answer {
  status: number;
  body: unknown;
  /** The worker that responded. */
  url: string;
}

export class ConnectApi {
  readonly #urls: readonly string[];
  readonly #authorization: string | undefined;

  /** `urls`: any of its workers, without a slash at the end. `credentials`: `user:password`. */
  constructor(urls: readonly string[], credentials: string | undefined) {
    this.#urls = urls;
    this.#authorization = credentials && `Basic ${Buffer.from(credentials).toString('base64')}`;
  }

  /** Errors, here as below: `Error` with what Kafka Connect says. */
  async mirrorConnectors(): Promise<MirrorConnector[]> {
    const { body } = expectOk(await this.#ask('GET', '/connectors?expand=info'), 'its connectors');
    const found = body as Record<string, { info: { config: Record<string, string> } }>;
    return Object.entries(found).flatMap(([name, { info }]) => {
      const { 'connector.class': className = '', 'source.cluster.alias': source, ...config } = info.config;
      const target = config['target.cluster.alias'];
      if (!MIRROR_CLASS.test(className) || source === undefined || target === undefined) return [];
      return [{ name, isSource: SOURCE_CLASS.test(className), source, target }];
    });
  }

  /** `undefined` for a connector that has never run. */
  async status(name: string): Promise<ConnectorStatus | undefined> {
    const answer = await this.#ask('GET', `${pathOf(name)}/status`);
    return answer.status === NOT_FOUND ? undefined : (expectOk(answer, name).body as ConnectorStatus);
  }

  async offsets(name: string): Promise<ConnectorOffset[]> {
    const { body } = expectOk(await this.#ask('GET', `${pathOf(name)}/offsets`), name);
    return (body as { offsets: ConnectorOffset[] }).offsets;
  }

  /** Of a stopped connector. */
  async alterOffsets(name: string, offsets: readonly ConnectorOffset[]): Promise<void> {
    expectOk(await this.#ask('PATCH', `${pathOf(name)}/offsets`, { offsets }), name);
  }

  async stop(name: string): Promise<void> {
    expectOk(await this.#ask('PUT', `${pathOf(name)}/stop`), name);
  }

  async resume(name: string): Promise<void> {
    expectOk(await this.#ask('PUT', `${pathOf(name)}/resume`), name);
  }

  async restartFailed(name: string): Promise<void> {
    expectOk(await this.#ask('POST', `${pathOf(name)}/restart?includeTasks=true&onlyFailed=true`), name);
  }

  /** Asks one worker after another. Each request may be repeated. */
  async #ask(method: string, path: string, body?: object): Promise<Answer> {
    const headers: Record<string, string> = { accept: 'application/json' };
    if (this.#authorization !== undefined) headers['authorization'] = this.#authorization;
    if (body !== undefined) headers['content-type'] = 'application/json';
    const failures: string[] = [];
    let cause: unknown;
    for (const url of this.#urls) {
      try {
        const content = body === undefined ? {} : { body: JSON.stringify(body) };
        const response = await fetch(`${url}${path}`, {
          method,
          headers,
          signal: AbortSignal.timeout(TIMEOUT_MS),
          ...content,
        });
        const text = await response.text();
        return { status: response.status, body: parsed(text), url };
      } catch (error) {
        cause = error;
        failures.push(`${url} (${reasonOf(error, TIMEOUT_MS)})`);
      }
    }
    throw new Error(`No worker of Kafka Connect responds at ${failures.join(', ')}`, { cause });
  }
}

function pathOf(name: string): string {
  return `/connectors/${encodeURIComponent(name)}`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function expectOk(answer: Answer, what: string): Answer {
  const { status, body, url } = answer;
  if (status < 300) return answer;
  const { message } = (body ?? {}) as { message?: unknown };
  const reason = typeof message === 'string' ? message : `status ${status}`;
  // A rebalance: the next request succeeds.
  const kind = status === CONFLICT ? 'Kafka Connect is busy' : 'Kafka Connect refuses';
  throw new Error(`${kind} at ${url}: ${what}: ${reason}`);
}
