/** Access to the admin API: a bearer token (RFC 6750), compared in constant time. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { isLoopback } from '@causeway/config/networks.ts';
import type { System } from '@causeway/protocol/admin/model.ts';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { GatewayError } from '../errors.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route never needs a token: health, and the files of the page. */
    isPublic?: boolean;
  }
}

export interface AccessOptions {
  /** The address that the admin API listens on. */
  host: string;
  /** The current token; empty or `undefined` without one. */
  token: () => string | undefined;
}

const NO_TOKEN =
  'Changes need a token, and this gateway has none: set admin.token (as "${CAUSEWAY_ADMIN_TOKEN}") or admin.tokenFile in its YAML.';

/** Admits requests, or throws. */
export class Access {
  readonly #options: AccessOptions;

  constructor(options: AccessOptions) {
    this.#options = options;
  }

  /** What the topology shows about access. */
  get description(): System['adminAccess'] {
    if (!this.#hasToken) return { canChange: false, reason: NO_TOKEN };
    return {
      canChange: true,
      reason:
        'Changes need the header "Authorization: Bearer TOKEN", with admin.token; they last until the next reload.',
    };
  }

  /** Must be called before routes are added. */
  addTo(app: FastifyInstance): void {
    app.addHook('onRequest', async (request, reply) => this.#check(request, reply));
  }

  /** Errors: `unauthorized`, `changesOff`. */
  #check(request: FastifyRequest, reply: FastifyReply): void {
    const isChange = request.method !== 'GET' && request.method !== 'HEAD';
    if (request.routeOptions.config.isPublic === true) return;
    if (!isChange && isLoopback(this.#options.host)) return;
    if (!this.#hasToken) throw new GatewayError('changesOff', NO_TOKEN);
    const given = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
    if (given !== undefined && isSame(given, this.#options.token() ?? '')) return;
    reply.header('www-authenticate', `Bearer realm="causeway"${given === undefined ? '' : ', error="invalid_token"'}`);
    throw new GatewayError(
      'unauthorized',
      given === undefined ? 'This needs the header "Authorization: Bearer TOKEN".' : 'The token is wrong.',
    );
  }

  get #hasToken(): boolean {
    return (this.#options.token() ?? '') !== '';
  }
}

/** Hashes have the same length, whatever the length of the tokens. */
function isSame(given: string, expected: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}
