/** The section `auth`: how clients prove who they are, with the checks that a schema cannot express. */
import { isLoopback } from '@causeway/config/networks.ts';
import { readCertificates } from '@causeway/config/pem.ts';
import { Choice, Entry, HttpUrl, type Static, Type } from '@causeway/config/schema.ts';
import { KeyRing, readJwks } from '../authentication/jwks.ts';
import { ApiKeysSection, BasicSection, ClientCertificatesSection, checkCredentials } from './auth-credentials.ts';

/** Signatures of asymmetric keys (RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864): with a shared key the gateway could make tokens, too. */
const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const;

const IssuerConfig = Entry(
  {
    issuer: Type.String({
      description: 'The claim iss of its tokens, exactly as it is there.',
      examples: ['https://id.example/'],
      minLength: 1,
    }),
    audience: Type.Array(Type.String({ minLength: 1 }), {
      description: 'A token must name one of these in its claim aud.',
      examples: [['causeway']],
      minItems: 1,
    }),
    jwksUrl: Type.Optional(
      HttpUrl(
        {
          description:
            'Where the issuer publishes its keys (JWKS). Without jwksUrl and jwksFile: jwks_uri in ISSUER/.well-known/openid-configuration. Plain HTTP is for loopback only.',
          examples: ['https://id.example/jwks'],
        },
        { hasPath: true },
      ),
    ),
    jwksFile: Type.Optional(
      Type.String({
        description: 'File that contains the keys (JWKS), in place of a URL; read again when it changes.',
        examples: ['/etc/causeway/jwks.json'],
        minLength: 1,
      }),
    ),
    caFile: Type.Optional(
      Type.String({
        description: "Authorities of the URL's certificate, in PEM format. Default: those of Node.js.",
        examples: ['/etc/causeway/id-ca.crt'],
        minLength: 1,
      }),
    ),
    refreshSeconds: Type.Integer({
      description:
        'How often the keys are fetched, in seconds; also when a token names an unknown key, at most every 5 s.',
      default: 300,
      minimum: 5,
      maximum: 86_400,
    }),
    keepSeconds: Type.Integer({
      description:
        'How long the last keys stay in use while they cannot be fetched, in seconds. Then requests with tokens of this issuer get 503.',
      default: 86_400,
      minimum: 60,
      maximum: 31_536_000,
    }),
    algorithms: Type.Array(Choice(ALGORITHMS, { description: 'An algorithm.', default: 'RS256' }), {
      description: 'Accepted algorithms of signatures.',
      default: ['RS256', 'PS256', 'ES256', 'EdDSA'],
      minItems: 1,
    }),
    clockToleranceSeconds: Type.Integer({
      description: "How far the clocks of the issuer and of this gateway may differ, for a token's exp and nbf.",
      default: 30,
      minimum: 0,
      maximum: 600,
    }),
    principalClaim: Type.String({
      description: "The claim with the principal's name; dots lead into objects.",
      default: 'sub',
      minLength: 1,
    }),
    rolesClaim: Type.String({
      description:
        "The claim with the principal's roles: an array, or names with blanks between; dots lead into objects.",
      default: 'roles',
      minLength: 1,
    }),
    principalPrefix: Type.String({
      description: "Written before the principal's name, so that two issuers cannot name the same principal.",
      default: '',
      maxLength: 100,
    }),
  },
  { description: 'An issuer of tokens.' },
);
export type IssuerConfig = Static<typeof IssuerConfig>;

const JwtSection = Entry(
  {
    issuers: Type.Array(IssuerConfig, { description: 'Issuers, such as OpenID providers.', minItems: 1 }),
  },
  { description: 'JSON Web Tokens, as Authorization: Bearer TOKEN.' },
);

export const AuthSection = Entry(
  {
    jwt: Type.Optional(JwtSection),
    basic: Type.Optional(BasicSection),
    apiKeys: Type.Optional(ApiKeysSection),
    clientCertificates: Type.Optional(ClientCertificatesSection),
    anonymous: Choice(['reject', 'allow'], {
      description:
        'Requests without credentials: reject responds 401; allow admits them as the principal anonymous. Wrong credentials are always 401.',
      default: 'reject',
    }),
    metricPrincipals: Type.Array(Type.String({ minLength: 1 }), {
      description:
        'Principals with a label of their own in metrics, besides those that rules and quotas name; all others count as "other".',
      default: [],
      examples: [['alice', 'id:worker']],
      maxItems: 1_000,
    }),
    forwardCredentials: Type.Boolean({
      description: "Whether targets get the client's credentials, as bridges with kafka.identity: client need them.",
      default: false,
    }),
  },
  {
    description:
      'Who the clients are. Off without this section: every request is anonymous. The first gateway that a request reaches authenticates it, by the first method for which the request has credentials.',
  },
);
export type AuthSection = Static<typeof AuthSection>;

type Finding = { path: (string | number)[]; reason: string };

/** Finds problems of the section. Reads its files. */
export function checkAuth(auth: AuthSection | undefined, { verifiesClients }: { verifiesClients: boolean }): Finding[] {
  if (auth === undefined) return [];
  const findings: Finding[] = [];
  const { jwt, basic, apiKeys, clientCertificates } = auth;
  if (jwt === undefined && basic === undefined && apiKeys === undefined && clientCertificates === undefined) {
    const reason = 'needs a method of authentication: set jwt, basic, apiKeys or clientCertificates';
    findings.push({ path: ['auth'], reason });
  }
  findings.push(...checkCredentials(auth, { verifiesClients }));
  const issuers = jwt?.issuers ?? [];
  for (const [index, config] of issuers.entries()) {
    const path = ['auth', 'jwt', 'issuers', index];
    if (issuers.findIndex(({ issuer }) => issuer === config.issuer) !== index) {
      findings.push({ path: [...path, 'issuer'], reason: `duplicate issuer ${config.issuer}` });
    }
    for (const { key, reason } of checkIssuer(config)) findings.push({ path: [...path, key], reason });
  }
  return findings;
}

function checkIssuer({ issuer, jwksUrl, jwksFile, caFile }: IssuerConfig): { key: string; reason: string }[] {
  if (jwksFile !== undefined) {
    if (jwksUrl !== undefined) return [{ key: 'jwksFile', reason: 'jwksUrl and jwksFile exclude each other' }];
    if (caFile !== undefined) return [{ key: 'caFile', reason: 'has no effect: the keys come from jwksFile' }];
    const reason = keysProblem(jwksFile);
    return reason === undefined ? [] : [{ key: 'jwksFile', reason }];
  }
  const key = jwksUrl === undefined ? 'issuer' : 'jwksUrl';
  const url = jwksUrl ?? issuer;
  if (!/^https?:/i.test(url) || !URL.canParse(url)) {
    return [{ key, reason: `${url} is not a URL, so its keys cannot be found: set jwksUrl or jwksFile` }];
  }
  const { protocol, hostname } = new URL(url);
  if (protocol === 'http:' && !isLoopback(hostname.replace(/^\[(.*)\]$/, '$1'))) {
    const reason = `${url} is plain HTTP: another machine on the way could replace the keys, and sign tokens. Use https, or jwksFile`;
    return [{ key, reason }];
  }
  if (caFile === undefined) return [];
  if (protocol === 'http:') return [{ key: 'caFile', reason: `has no effect: ${url} is not https` }];
  try {
    readCertificates(caFile);
    return [];
  } catch (error) {
    return [{ key: 'caFile', reason: error instanceof Error ? error.message : String(error) }];
  }
}

/** Why a file of keys cannot be used. */
function keysProblem(file: string): string | undefined {
  let jwks: unknown;
  try {
    jwks = readJwks(file);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  try {
    new KeyRing().update(jwks);
    return undefined;
  } catch (error) {
    return `${file} ${error instanceof Error ? error.message : String(error)}`;
  }
}
