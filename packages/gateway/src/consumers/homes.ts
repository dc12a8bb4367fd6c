/** Which consumer a request belongs to, and what its response says about that consumer's home. */
import type { ParsedUrl } from '@causeway/protocol/paths.ts';
import { type Home, isSameHome } from '../ownership/home.ts';
import { type Affinity, consumerKey } from './affinity.ts';
import { type CreateBody, nameInCreateRequest, nameInCreateResponse } from './create-body.ts';

/** The key of a request's consumer; a create request may name it in its body. */
export function consumerOf(url: ParsedUrl, body: CreateBody | undefined): string | undefined {
  const { group, instance, operation } = url;
  if (group === undefined) return undefined;
  const name = operation === 'createConsumer' ? nameInCreateRequest(body) : instance;
  return name === undefined ? undefined : consumerKey(group, name);
}

export interface HomeLesson {
  url: ParsedUrl;
  /** The home that was remembered before. */
  known: Home | undefined;
  /** The target that responded, and its owner. */
  home: Home;
  status: number;
  body: Buffer;
}

/** Remembers where a consumer's request succeeded, and forgets a consumer that was deleted. */
export function learnHome(affinity: Affinity, { url, known, home, status, body }: HomeLesson): void {
  const { group, instance, operation } = url;
  if (group === undefined || operation === 'unknown') return;
  if (operation === 'createConsumer') {
    const created = status === 200 ? nameInCreateResponse(body) : undefined;
    if (created !== undefined) affinity.remember(consumerKey(group, created), home);
  } else if (instance !== undefined) {
    const key = consumerKey(group, instance);
    if (operation !== 'deleteConsumer') {
      if (status < 300 && !isSameHome(known, home)) affinity.remember(key, home);
    } else if (status < 300 || status === 404) {
      affinity.forget(key);
    }
  }
}
