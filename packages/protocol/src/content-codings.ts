/** Content codings (RFC 9110 §8.4), and the one that a client prefers for a response (§12.5.3). */
import { qualityOf } from './content-types.ts';

/** In the order of our preference, for clients that weight several equally. */
export const CONTENT_CODINGS = ['zstd', 'gzip', 'br', 'deflate'] as const;

export type ContentCoding = (typeof CONTENT_CODINGS)[number];

/** The coding of a name in lower case. */
export function contentCoding(name: string): ContentCoding | undefined {
  // RFC 9110 §8.4.1.3.
  if (name === 'x-gzip') return 'gzip';
  return CONTENT_CODINGS.find((coding) => coding === name);
}

export interface WantedCoding {
  /** `undefined`: the response is not encoded. */
  coding: ContentCoding | undefined;
  /** The client rejects a response that is not encoded. */
  isIdentityRefused: boolean;
}

/** For a client that accepts any coding: first the one that every client can decode. */
const FOR_ANY: readonly ContentCoding[] = ['gzip', ...CONTENT_CODINGS];

/** The coding that `Accept-Encoding` prefers. Where the header rules out every coding, the response is not encoded. */
export function wantedCoding(header: string | undefined): WantedCoding {
  const qualities = new Map<string, number>();
  for (const element of (header ?? '').split(',')) {
    const name = (element.split(';', 1)[0] ?? '').trim().toLowerCase();
    const key = contentCoding(name) ?? name;
    if (name !== '' && !qualities.has(key)) qualities.set(key, qualityOf(element));
  }
  const forAny = qualities.get('*');
  const identity = qualities.get('identity') ?? (forAny === 0 ? 0 : undefined);
  let best: { coding: ContentCoding; quality: number } | undefined;
  const consider = (coding: ContentCoding, quality: number): void => {
    if (quality > 0 && quality > (best?.quality ?? 0)) best = { coding, quality };
  };
  for (const coding of CONTENT_CODINGS) consider(coding, qualities.get(coding) ?? 0);
  const unnamed = FOR_ANY.find((coding) => !qualities.has(coding));
  if (unnamed !== undefined) consider(unnamed, forAny ?? 0);
  const isIdentityPreferred = best !== undefined && identity !== undefined && identity > best.quality;
  return {
    coding: isIdentityPreferred ? undefined : best?.coding,
    isIdentityRefused: identity === 0 && best !== undefined,
  };
}
