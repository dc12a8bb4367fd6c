/** Compresses long responses for clients that accept it (RFC 9110 §12.5.3), in the threads of Node's pool. */

import { promisify } from 'node:util';
import { brotliCompress, constants, deflate, gzip, zstdCompress } from 'node:zlib';
import { assertNever } from '@causeway/protocol/assert-never.ts';
import { type ContentCoding, type WantedCoding, wantedCoding } from '@causeway/protocol/content-codings.ts';
import type { CompressionConfig } from '../config.ts';

/** Higher levels shrink records in JSON little more, and cost a multiple. */
const ZLIB_LEVEL = 1;
const ZSTD_LEVEL = 1;
const BROTLI_QUALITY = 4;
/** Clients send the same header with all their requests. */
const MAX_REMEMBERED = 64;
/** Longer headers are parsed each time. */
const MAX_REMEMBERED_LENGTH = 256;

export class ResponseCoding {
  readonly #options: CompressionConfig;
  readonly #wanted = new Map<string, WantedCoding>();

  constructor(options: CompressionConfig) {
    this.#options = options;
  }

  /** Whether the coding of such a response depends on the client. */
  isNegotiated(bytes: number): boolean {
    return this.#options.isEnabled && bytes >= this.#options.minBytes;
  }

  /** The coding for a response of `bytes`; `undefined`: none. */
  codingFor(header: string | undefined, bytes: number): ContentCoding | undefined {
    if (header === undefined || !this.#options.isEnabled) return undefined;
    const { coding, isIdentityRefused } = this.#read(header);
    return isIdentityRefused || bytes >= this.#options.minBytes ? coding : undefined;
  }

  #read(header: string): WantedCoding {
    const known = this.#wanted.get(header);
    if (known !== undefined) return known;
    const wanted = wantedCoding(header);
    if (header.length > MAX_REMEMBERED_LENGTH) return wanted;
    if (this.#wanted.size >= MAX_REMEMBERED) this.#wanted.clear();
    this.#wanted.set(header, wanted);
    return wanted;
  }
}

const zlibOptions = { level: ZLIB_LEVEL };
const zstdOptions = { params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL } };
const brotliOptions = {
  params: {
    [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY,
    [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
  },
};

export function encode(text: string | Buffer, coding: ContentCoding): Promise<Buffer> {
  switch (coding) {
    case 'gzip':
      return promisify(gzip)(text, zlibOptions);
    case 'deflate':
      return promisify(deflate)(text, zlibOptions);
    case 'br':
      return promisify(brotliCompress)(text, brotliOptions);
    case 'zstd':
      return promisify(zstdCompress)(text, zstdOptions);
    default:
      return assertNever(coding);
  }
}
