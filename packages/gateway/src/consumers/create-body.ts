/** Reads the name of a consumer from the body of a create request, and of the response to it. */
import { brotliDecompressSync, constants, gunzipSync, inflateSync, zstdDecompressSync } from 'node:zlib';
import { type ContentCoding, contentCoding } from '@causeway/protocol/content-codings.ts';

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

/** The `instance_id` in the response to a create request. */
export function nameInCreateResponse(body: Buffer): string | undefined {
  return stringField(body, 'instance_id');
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
