/** The section `quotas`: how much of the gateway a principal, or an address, may use. */
import { isNetwork } from '@causeway/config/networks.ts';
import { Entry, Section, type Static, Type } from '@causeway/config/schema.ts';
import type { Finding } from './listeners.ts';

const MAX_RATE = 1_000_000_000_000;

const LIMITS = {
  requestsPerSecond: Type.Optional(
    Type.Integer({
      description: 'Requests in a second, on average. Further ones get 429.',
      examples: [200],
      minimum: 1,
      maximum: MAX_RATE,
    }),
  ),
  requestBurst: Type.Optional(
    Type.Integer({
      description: 'Requests at once, after a pause. Default: requestsPerSecond.',
      examples: [400],
      minimum: 1,
      maximum: MAX_RATE,
    }),
  ),
  bytesPerSecond: Type.Optional(
    Type.Integer({
      description:
        'Bytes of bodies of requests and responses in a second, on average. Bodies count when they moved: requests are admitted until the bytes are used up, and then get 429 until the excess has been made up for.',
      examples: [10_485_760],
      minimum: 1,
      maximum: MAX_RATE,
    }),
  ),
  byteBurst: Type.Optional(
    Type.Integer({
      description: 'Bytes at once, after a pause. Default: bytesPerSecond.',
      examples: [20_971_520],
      minimum: 1,
      maximum: MAX_RATE,
    }),
  ),
  maxInFlight: Type.Optional(
    Type.Integer({
      description: 'Requests in flight; a poll that waits for records is one. Further ones get 429.',
      examples: [100],
      minimum: 1,
      maximum: 1_000_000,
    }),
  ),
  maxConsumers: Type.Optional(
    Type.Integer({
      description:
        'Consumers of a principal in the whole system, over all bridges. Creating a further one gets 429. All clients that are anonymous are one principal; without auth this has no effect.',
      examples: [50],
      minimum: 1,
      maximum: 1_000_000,
    }),
  ),
  maxConnections: Type.Optional(
    Type.Integer({
      description:
        'Open connections. One counts for its address until a request on it is authenticated, and then for the principal of its last request. Further ones of an address are closed at once, before TLS; further ones of a principal get 429, and are closed. Those of trusted proxies and peers, which have many clients, do not count.',
      examples: [200],
      minimum: 1,
      maximum: 1_000_000,
    }),
  ),
};

const DefaultLimits = Entry(LIMITS, {
  description:
    'For each principal, and for each address of clients without one. A limit that is absent does not exist.',
});

const Exception = Entry(
  {
    principals: Type.Array(Type.String({ minLength: 1 }), {
      description: 'Names of principals.',
      default: [],
      examples: [['alice']],
    }),
    roles: Type.Array(Type.String({ minLength: 1 }), {
      description: 'Roles; one of them is enough.',
      default: [],
      examples: [['batch']],
    }),
    ...LIMITS,
  },
  { description: 'The limits of some principals, in place of all limits of default.' },
);

export const QuotasSection = Section(
  {
    default: Type.Optional(DefaultLimits),
    principals: Type.Array(Exception, {
      description:
        'Exceptions, each with the keys of default; the first that names a principal or one of its roles applies.',
      default: [],
    }),
    exempt: Type.Array(Type.String({ minLength: 1 }), {
      description: 'Principals without limits; also addresses and networks (CIDR), for clients without a principal.',
      default: [],
    }),
    failedAuthentications: Section(
      {
        perMinute: Type.Integer({
          description: 'Failures in a minute, on average.',
          default: 10,
          minimum: 1,
          maximum: 1_000_000,
        }),
        burst: Type.Integer({
          description: 'Failures at once, after a pause.',
          default: 30,
          minimum: 1,
          maximum: 1_000_000,
        }),
      },
      {
        description:
          'Wrong credentials of an address. Beyond the limit, requests of the address with credentials that this gateway does not remember get 429, and nothing is verified.',
      },
    ),
  },
  { description: 'Limits for each principal, or for each address of clients without one, at this gateway.' },
);
export type QuotasConfig = Static<typeof QuotasSection>;
export type LimitsConfig = Static<typeof DefaultLimits>;

/** Finds problems of the section. `knowsPrincipals`: whether clients are authenticated; `hasCertifiedPeers`: whether certificates make gateways. */
export function checkQuotas(
  { default: defaults, principals, exempt }: QuotasConfig,
  { knowsPrincipals, hasCertifiedPeers }: { knowsPrincipals: boolean; hasCertifiedPeers: boolean },
): Finding[] {
  const findings = defaults === undefined ? [] : checkLimits(defaults, ['quotas', 'default']);
  const reason = 'has no effect: without auth the gateway knows no principals';
  if (!knowsPrincipals && principals.length > 0) findings.push({ path: ['quotas', 'principals'], reason });
  if (!knowsPrincipals && defaults?.maxConsumers !== undefined) {
    findings.push({ path: ['quotas', 'default', 'maxConsumers'], reason });
  }
  if (hasCertifiedPeers && defaults?.maxConnections !== undefined && !exempt.some(isNetwork)) {
    findings.push({
      path: ['quotas', 'default', 'maxConnections'],
      reason:
        'also counts the connections of gateways that trust.peers knows by their certificates, since those come later: list the addresses of these gateways in quotas.exempt',
    });
  }
  for (const [index, exception] of principals.entries()) {
    const path = ['quotas', 'principals', index];
    findings.push(...checkLimits(exception, path));
    if (exception.principals.length === 0 && exception.roles.length === 0) {
      findings.push({ path, reason: 'applies to no principal: name principals or roles' });
    }
    for (const [place, name] of exception.principals.entries()) {
      const isEarlier = principals.slice(0, index).some((earlier) => earlier.principals.includes(name));
      if (isEarlier) {
        findings.push({
          path: [...path, 'principals', place],
          reason: `an exception before it names ${name}, too, and the first one applies`,
        });
      }
    }
  }
  return findings;
}

function checkLimits(limits: LimitsConfig, path: Finding['path']): Finding[] {
  const findings: Finding[] = [];
  if (limits.requestBurst !== undefined && limits.requestsPerSecond === undefined) {
    findings.push({ path: [...path, 'requestBurst'], reason: 'has no effect without requestsPerSecond' });
  }
  if (limits.byteBurst !== undefined && limits.bytesPerSecond === undefined) {
    findings.push({ path: [...path, 'byteBurst'], reason: 'has no effect without bytesPerSecond' });
  }
  return findings;
}
