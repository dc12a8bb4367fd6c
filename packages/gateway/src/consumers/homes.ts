/** Which consumer a request belongs to, and what its response says about that consumer's home. */
import { brotliDecompressSync, constants, gunzipSync, inflateSync, zstdDecompressSync } from 'node:zlib';
import { type ContentCoding, contentCoding } from '@causeway/protocol/content-codings.ts';
import type { ParsedUrl } from '@causeway/protocol/paths.ts';
import { type Affinity, consumerKey, type Home } from './affinity.ts';

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

/** The body of a create request, as it arrived. */
export interface CreateBody {
  bytes: Buffer;
  /** `Content-Encoding`. */
  coding: string | undefined;
}

/** The `name` in the body of a create request; `undefined` for a body that is too long to be parsed. */
export function nameInCreateRequest(body: CreateBody | undefined): string | undefined {
  if (body === undefined || body.bytes.length > MAX_BODY_BYTES) return undefined;
  const { bytes, coding } = body;
  return stringField(coding === undefined ? bytes : decoded(bytes, coding.trim().toLowerCase()), 'name');
}

/** The longest description of a consumer that is parsed: far beyond what one needs, and little work. */
const MAX_BODY_BYTES = 65_536;

/** `undefined` for bodies that the bridge will refuse, and for those that are too long or encoded more than once. */
function decoded(bytes: Buffer, coding: string): Buffer | undefined {
  if (coding === 'identity') return bytes;
  const name = contentCoding(coding);
  if (name === undefined) return undefined;
  try {
    return DECODERS[name](bytes, { maxOutputLength: MAX_BODY_BYTES });
  } catch {
    return undefined;
  }
}

const MAX_ZSTD_WINDOW_LOG = 23;

const DECODERS: Readonly<Record<ContentCoding, (bytes: Buffer, options: { maxOutputLength: number }) => Buffer>> = {
  gzip: gunzipSync,
  deflate: inflateSync,
  br: brotliDecompressSync,
  // A frame may ask for a window of any size, which the decoder allocates: 8 MiB at most (RFC 9659).
  zstd: (bytes, options) =>
    zstdDecompressSync(bytes, { ...options, params: { [constants.ZSTD_d_windowLogMax]: MAX_ZSTD_WINDOW_LOG } }),
};

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
