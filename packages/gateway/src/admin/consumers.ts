/** Lists consumers and their owners. Asks the bridges when an operator looks, and caches the result for a second. */

import type { ConsumerPage, ConsumerQuery } from '@causeway/protocol/admin/model.ts';
import { formatHop, OPERATOR_HEADER, SECRET_HEADER, SESSIONS_PATH } from '@causeway/protocol/routing.ts';
import { joinPages, type SessionPage } from '@causeway/protocol/sessions.ts';
import type { Registry } from '../regions/registry.ts';
import type { RegionSnapshot } from '../regions/snapshot.ts';
import { type AdminClient, reasonOf } from './admin-client.ts';
import { readConsumers } from './reported-consumers.ts';

/** An operator waits no longer than this for a frozen region. */
const TIMEOUT_MS = 1_000;
/** A regional gateway waits for its own bridges. */
const GATEWAY_TIMEOUT_MS = 1_500;
const FRESH_MS = 1_000;
const DEFAULT_LIMIT = 200;

interface Question {
  filter: string;
  region: string | undefined;
  limit: number;
  scope: 'all' | 'local';
}

interface Answer {
  page: SessionPage;
  incomplete: ConsumerPage['incomplete'];
}

export interface ConsumersOptions {
  registry: Registry;
  client: AdminClient;
}

export class Consumers {
  readonly #options: ConsumersOptions;
  /** Results in flight or less than a second old, by query. */
  readonly #answers = new Map<string, Promise<Answer>>();

  constructor(options: ConsumersOptions) {
    this.#options = options;
  }

  /** Never throws: the result names regions that could not be reached. */
  async list({
    filter = '',
    region,
    limit = DEFAULT_LIMIT,
    offset = 0,
    scope = 'all',
  }: ConsumerQuery): Promise<ConsumerPage> {
    const { page, incomplete } = await this.#answer({ filter, region, limit: offset + limit, scope });
    const { total, matching, consumers } = page;
    return { total, matching, consumers: consumers.slice(offset, offset + limit), incomplete };
  }

  #answer(question: Question): Promise<Answer> {
    const key = JSON.stringify(question);
    const known = this.#answers.get(key);
    if (known !== undefined) return known;
    const answer = this.#askRegions(question);
    this.#answers.set(key, answer);
    void answer.then(() => setTimeout(() => this.#answers.delete(key), FRESH_MS).unref());
    return answer;
  }

  async #askRegions(question: Question): Promise<Answer> {
    const { regions } = this.#options.registry.snapshot;
    const asked = regions.filter(
      ({ name, isLocal }) =>
        (question.region === undefined || question.region === name) && (question.scope === 'all' || isLocal),
    );
    const answers = await Promise.all(asked.map((region) => this.#askRegion(region, question)));
    return {
      page: joinPages(
        answers.flatMap(({ pages }) => pages),
        question.limit,
      ),
      incomplete: answers.flatMap(({ incomplete }) => incomplete),
    };
  }

  async #askRegion(
    { name, targets }: RegionSnapshot,
    question: Question,
  ): Promise<{ pages: SessionPage[]; incomplete: ConsumerPage['incomplete'] }> {
    const bridges = targets.filter(({ bridge }) => bridge !== undefined);
    const gateways = targets.flatMap(({ bridge, adminUrl }) =>
      bridge === undefined && adminUrl !== undefined ? [adminUrl] : [],
    );
    if (bridges.length === 0 && gateways.length === 0) {
      return { pages: [], incomplete: [{ region: name, reason: 'no adminUrl is configured' }] };
    }
    const pages: SessionPage[] = [];
    const incomplete: ConsumerPage['incomplete'] = [];
    await Promise.all([
      ...bridges.map(async ({ url, bridge }) => {
        try {
          pages.push(await this.#askBridge(url, question));
        } catch (error) {
          incomplete.push({ region: name, reason: `${bridge}: ${reasonOf(error)}` });
        }
      }),
      (async () => {
        // Each gateway of a region knows all bridges of it: the first response suffices.
        const reasons: string[] = [];
        for (const adminUrl of gateways) {
          try {
            const page = await this.#askGateway(adminUrl, question);
            pages.push(page);
            incomplete.push(...page.incomplete);
            return;
          } catch (error) {
            reasons.push(`its gateway: ${reasonOf(error)}`);
          }
        }
        if (reasons.length > 0) incomplete.push({ region: name, reason: [...new Set(reasons)].join('; ') });
      })(),
    ]);
    return { pages, incomplete };
  }

  async #askBridge(url: string, { filter, limit }: Question): Promise<SessionPage> {
    const { client, registry } = this.#options;
    const { gateway, trust } = registry.config;
    const query = new URLSearchParams({ filter, limit: String(limit) });
    const headers = {
      [OPERATOR_HEADER]: formatHop({ name: gateway.name, region: gateway.region }),
      ...(trust.secret ? { [SECRET_HEADER]: trust.secret } : {}),
    };
    return readConsumers(await client.get(`${url}${SESSIONS_PATH}?${query}`, TIMEOUT_MS, headers));
  }

  async #askGateway(adminUrl: string, { filter, limit }: Question): Promise<ConsumerPage> {
    const query = new URLSearchParams({ filter, limit: String(limit), scope: 'local' });
    const { client } = this.#options;
    return readConsumers(await client.getFromGateway(`${adminUrl}/api/consumers?${query}`, GATEWAY_TIMEOUT_MS));
  }
}
