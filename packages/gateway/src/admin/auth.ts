/** Access to the admin API: bearer tokens (RFC 6750) of viewers, who read, and of operators, who make changes, too. */
import { isLoopback } from '@causeway/config/networks.ts';
import type { AdminAccess, System } from '@causeway/protocol/admin/model.ts';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type AdminSection, adminTokensOf } from '../config/admin.ts';
import { GatewayError } from '../errors.ts';
import { type Caller, TokenTable } from './caller.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route never needs a token: health, and the files of the page. */
    isPublic?: boolean;
  }
  interface FastifyRequest {
    /** The owner of the request's token; `undefined` without one. */
    caller: Caller | undefined;
  }
}

const NO_TOKEN =
  'Changes need a token, and this gateway has none: set admin.token (as "${CAUSEWAY_ADMIN_TOKEN}"), admin.tokenFile or admin.tokens in its YAML.';
const NO_OPERATOR =
  'Changes need the token of an operator, and this gateway has tokens of viewers only: give one of admin.tokens the role operator.';

export interface AccessOptions {
  /** The address that the admin API listens on. */
  host: string;
  /** As configured now: another object after each reload. */
  settings: () => AdminSection;
}

/** Admits requests, or throws. */
export class Access {
  readonly #options: AccessOptions;
  #known: { settings: AdminSection; table: TokenTable; hasOperator: boolean } | undefined;

  constructor(options: AccessOptions) {
    this.#options = options;
  }

  /** What the topology shows about access. */
  get description(): System['adminAccess'] {
    const { table, hasOperator } = this.#tokens;
    if (!hasOperator) return { canChange: false, reason: table.isEmpty ? NO_TOKEN : NO_OPERATOR };
    return {
      canChange: true,
      reason:
        'Changes need the header "Authorization: Bearer TOKEN", with the token of an operator; they last until the next reload.',
    };
  }

  /** What the sender of a request may do. */
  describe({ caller }: Pick<FastifyRequest, 'caller'>): AdminAccess {
    const { canChange, reason } = this.description;
    if (caller === undefined) return { name: null, role: null, canChange: false, reason };
    const { name, role } = caller;
    if (role === 'viewer') return { name, role, canChange: false, reason: viewersOnlyRead(caller) };
    return { name, role, canChange, reason };
  }

  /** Must be called before routes are added. */
  addTo(app: FastifyInstance): void {
    app.decorateRequest('caller', undefined);
    app.addHook('onRequest', async (request, reply) => this.#check(request, reply));
  }

  /** Errors: `unauthorized`, `changesOff`, `notPermitted`. */
  #check(request: FastifyRequest, reply: FastifyReply): void {
    if (request.routeOptions.config.isPublic === true) return;
    const { table } = this.#tokens;
    const isChange = request.method !== 'GET' && request.method !== 'HEAD';
    const isOpen = !isChange && isLoopback(this.#options.host);
    if (table.isEmpty) {
      if (isOpen) return;
      throw new GatewayError('changesOff', NO_TOKEN);
    }
    const given = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
    if (given === undefined) {
      if (isOpen) return;
      reply.header('www-authenticate', 'Bearer realm="causeway"');
      throw new GatewayError('unauthorized', 'This needs the header "Authorization: Bearer TOKEN".');
    }
    const caller = table.ownerOf(given);
    if (caller === undefined) {
      reply.header('www-authenticate', 'Bearer realm="causeway", error="invalid_token"');
      throw new GatewayError('tokenUnknown', 'The token is wrong.');
    }
    request.caller = caller;
    if (isChange && caller.role !== 'operator') throw new GatewayError('notPermitted', viewersOnlyRead(caller));
  }

  get #tokens(): { table: TokenTable; hasOperator: boolean } {
    const settings = this.#options.settings();
    if (this.#known?.settings !== settings) {
      const tokens = adminTokensOf(settings);
      const hasOperator = tokens.some(({ role }) => role === 'operator');
      this.#known = { settings, table: new TokenTable(tokens), hasOperator };
    }
    return this.#known;
  }
}

function viewersOnlyRead({ name }: Caller): string {
  return `${name} is a viewer, who may read and make no change: changes need the token of an operator.`;
}
