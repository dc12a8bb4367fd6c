/** The routes about Kafka clusters in the admin API of a gateway. Failures are sentences for operators. */
import type { KafkaClusters, Promoted, Rejoined } from '@causeway/protocol/admin/model.ts';
import type { PreparedReplication, TailRecords, TailRequest } from '@causeway/protocol/clusters.ts';
import type { Gateway } from '../gateway.ts';
import { noResponse, withoutControls } from '../response.ts';

/** Longer than a switch-over, or the count of a long tail. */
const DEFAULT_TIMEOUT_MS = 70_000;

export class ClustersClient {
  readonly #gateway: Gateway;
  readonly #timeoutMs: number;

  /** `timeoutMs`: of each request. */
  constructor(gateway: Gateway, timeoutMs = DEFAULT_TIMEOUT_MS) {
    this.#gateway = gateway;
    this.#timeoutMs = timeoutMs;
  }

  async list(): Promise<KafkaClusters> {
    return (await this.#ask('GET', '/api/clusters')) as KafkaClusters;
  }

  async promote(cluster: string, isForced: boolean): Promise<Promoted> {
    return (await this.#ask('POST', `${pathOf(cluster)}/promote`, { force: isForced })) as Promoted;
  }

  async rejoin(cluster: string, isPeerGone: boolean): Promise<Rejoined> {
    return (await this.#ask('POST', `${pathOf(cluster)}/rejoin`, { isPeerGone })) as Rejoined;
  }

  /** `dryRun`: writes nothing. */
  async prepare(cluster: string, dryRun: boolean): Promise<PreparedReplication> {
    return (await this.#ask('POST', `${pathOf(cluster)}/prepare`, { dryRun })) as PreparedReplication;
  }

  /** `promotion`: the number of the one since which MirrorMaker does not fill the cluster; `undefined`: the last one. */
  async endReplication(cluster: string, promotion: number | undefined): Promise<KafkaClusters> {
    return (await this.#ask('POST', `${pathOf(cluster)}/replication-ended`, { promotion })) as KafkaClusters;
  }

  async readTail(cluster: string, range: TailRequest): Promise<TailRecords> {
    return (await this.#ask('POST', `${pathOf(cluster)}/tail`, range)) as TailRecords;
  }

  /** Errors: `Error` with the gateway's reason. */
  async #ask(method: 'GET' | 'POST', path: string, body?: object): Promise<unknown> {
    const { url, token } = this.#gateway;
    const headers: Record<string, string> = { accept: 'application/json' };
    if (token !== undefined) headers['authorization'] = `Bearer ${token}`;
    if (body !== undefined) headers['content-type'] = 'application/json';
    let answer: Response;
    let text: string;
    try {
      const content = body === undefined ? {} : { body: JSON.stringify(body) };
      answer = await fetch(`${url}${path}`, {
        method,
        headers,
        signal: AbortSignal.timeout(this.#timeoutMs),
        ...content,
      });
      text = await answer.text();
    } catch (error) {
      throw new Error(noResponse(url, error, this.#timeoutMs), { cause: error });
    }
    if (answer.ok) return JSON.parse(text, withoutControls);
    const message = messageOf(text) ?? `The gateway at ${url} responded with ${answer.status}`;
    throw new Error(
      answer.status === 401 ? `${message} Give ${url} a token: --token, or CAUSEWAY_ADMIN_TOKEN.` : message,
    );
  }
}

function pathOf(cluster: string): string {
  return `/api/clusters/${encodeURIComponent(cluster)}`;
}

function messageOf(text: string): string | undefined {
  try {
    const { message } = JSON.parse(text, withoutControls) as { message?: unknown };
    return typeof message === 'string' ? message : undefined;
  } catch {
    return undefined;
  }
}
