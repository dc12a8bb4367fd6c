/** Which consumer a request belongs to, and what its answer says about where that consumer lives. */
import type { ParsedUrl } from '@causeway/protocol/paths.ts';
import { type Affinity, consumerKey, type Home } from './affinity.ts';

/** The key of the consumer that a request is about; a create request names it in its body, if at all. */
export function consumerOf(url: ParsedUrl, body: Buffer | undefined): string | undefined {
  const { group, instance, operation } = url;
  if (group === undefined) return undefined;
  const name = operation === 'createConsumer' ? nameInCreateRequest(body) : instance;
  return name === undefined ? undefined : consumerKey(group, name);
}

export interface HomeLesson {
  url: ParsedUrl;
  /** What was remembered before. */
  known: Home | undefined;
  /** Who answered. */
  home: Home;
  status: number;
  body: Buffer;
}

/** Remembers a consumer where a request of its was answered, and forgets it where it was deleted. */
export function learnHome(affinity: Affinity, { url, known, home, status, body }: HomeLesson): void {
  const { group, instance, operation } = url;
  if (group === undefined || operation === 'unknown') return;
  if (operation === 'createConsumer') {
    const created = status === 200 ? stringField(body, 'instance_id') : undefined;
    if (created !== undefined) affinity.remember(consumerKey(group, created), home);
  } else if (instance !== undefined) {
    const key = consumerKey(group, instance);
    if (operation !== 'deleteConsumer') {
      const isKnown = known !== undefined && known.target === home.target && known.owner === home.owner;
      if (status < 300 && !isKnown) affinity.remember(key, home);
    } else if (status < 300 || status === 404) {
      affinity.forget(key);
    }
  }
}

/** The `name` in the body of a create request. */
export function nameInCreateRequest(body: Buffer | undefined): string | undefined {
  return stringField(body, 'name');
}

function stringField(body: Buffer | undefined, field: string): string | undefined {
  if (body === undefined || body.length === 0) return undefined;
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    if (typeof value !== 'object' || value === null || !(field in value)) return undefined;
    const text = (value as Record<string, unknown>)[field];
    return typeof text === 'string' ? text : undefined;
  } catch {
    return undefined;
  }
}
