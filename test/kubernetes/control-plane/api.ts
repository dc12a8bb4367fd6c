/** Reads and writes objects over the API server's HTTP, with the one token of a test's control plane. */
import { createInterface } from 'node:readline';
import { Agent, request } from 'undici';
import type { KubernetesObject } from '../chart.ts';

/** A kind that a namespace can have. */
export interface NamespacedKind {
  apiVersion: string;
  kind: string;
  /** Of the objects of one namespace. */
  pathIn: (namespace: string) => string;
}

/** A change of an object that a list has; those that it has at first are added. */
export interface WatchEvent {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  object: KubernetesObject;
}

interface ResourceList {
  resources: { name: string; kind: string; namespaced: boolean; verbs: string[] }[];
}

export class KubernetesApi {
  readonly url: string;
  readonly #token: string;
  readonly #agent: Agent;

  constructor({ url, authority, token }: { url: string; authority: string; token: string }) {
    this.url = url;
    this.#token = token;
    this.#agent = new Agent({ connect: { ca: authority } });
  }

  async isReady(): Promise<boolean> {
    try {
      const { statusCode } = await this.#send('GET', '/readyz');
      return statusCode === 200;
    } catch {
      return false;
    }
  }

  /** Errors: what the API server says. */
  async get(path: string): Promise<KubernetesObject> {
    return await this.#object('GET', path);
  }

  /** The items of a list. Errors: what the API server says. */
  async list(path: string): Promise<KubernetesObject[]> {
    const { items } = await this.#object('GET', path);
    return items as KubernetesObject[];
  }

  /** `isDry`: only checks it. Errors: what the API server says; an unknown field is an error, too. */
  async create(path: string, object: object, { isDry = false } = {}): Promise<KubernetesObject> {
    return await this.#object('POST', `${path}?fieldValidation=Strict${isDry ? '&dryRun=All' : ''}`, object);
  }

  /** A merge patch (RFC 7396). Errors: what the API server says. */
  async patch(path: string, change: object): Promise<KubernetesObject> {
    return await this.#object('PATCH', `${path}?fieldValidation=Strict`, change, 'application/merge-patch+json');
  }

  /** Every kind that a namespace can have now, those of CustomResourceDefinitions included. */
  async namespacedKinds(): Promise<NamespacedKind[]> {
    const groups = (await this.#object('GET', '/apis')) as unknown as {
      groups: { preferredVersion: { groupVersion: string } }[];
    };
    const versions = ['v1', ...groups.groups.map(({ preferredVersion }) => preferredVersion.groupVersion)];
    const kinds = await Promise.all(
      versions.map(async (apiVersion) => {
        const base = apiVersion === 'v1' ? '/api/v1' : `/apis/${apiVersion}`;
        const { resources } = (await this.#object('GET', base)) as unknown as ResourceList;
        return resources
          .filter(({ namespaced, verbs }) => namespaced && verbs.includes('list'))
          .map(({ name, kind }) => ({
            apiVersion,
            kind,
            pathIn: (namespace: string) => `${base}/namespaces/${namespace}/${name}`,
          }));
      }),
    );
    return kinds.flat();
  }

  /** Calls `onChange` with each change of a list's objects from now on, until the returned function is called. */
  async watch(path: string, onChange: (change: WatchEvent) => void): Promise<() => void> {
    const separator = path.includes('?') ? '&' : '?';
    const { body } = await request(`${this.url}${path}${separator}watch=true`, {
      dispatcher: this.#agent,
      headers: { authorization: `Bearer ${this.#token}` },
      bodyTimeout: 0,
    });
    const lines = createInterface({ input: body });
    // The end of the stream by the test.
    for (const stream of [body, lines]) stream.on('error', () => {});
    lines.on('line', (line) => onChange(JSON.parse(line) as WatchEvent));
    return () => void body.destroy();
  }

  async close(): Promise<void> {
    await this.#agent.close();
  }

  async #object(
    method: 'GET' | 'POST' | 'PATCH',
    path: string,
    body?: object,
    type?: string,
  ): Promise<KubernetesObject> {
    const { statusCode, text } = await this.#send(method, path, body, type);
    if (statusCode >= 300) throw new Error(`${method} ${path}: ${statusCode} ${text}`);
    return JSON.parse(text) as KubernetesObject;
  }

  async #send(
    method: 'GET' | 'POST' | 'PATCH',
    path: string,
    content?: object,
    type = 'application/json',
  ): Promise<{ statusCode: number; text: string }> {
    const { statusCode, body } = await request(`${this.url}${path}`, {
      method,
      dispatcher: this.#agent,
      headers: { authorization: `Bearer ${this.#token}`, 'content-type': type },
      body: content === undefined ? null : JSON.stringify(content),
    });
    return { statusCode, text: await body.text() };
  }
}

interface Condition {
  type: string;
  status: string;
}

/** Of a pod or a node. */
export function isReady({ status }: KubernetesObject): boolean {
  return status?.conditions?.some(({ type, status: is }: Condition) => type === 'Ready' && is === 'True') ?? false;
}
