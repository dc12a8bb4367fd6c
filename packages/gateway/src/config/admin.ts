/** The section `admin`: where operators connect and who they are, with the checks that a schema cannot express. */
import { checkListenTls, ListenTls } from '@causeway/config/listen-tls.ts';
import { isLoopback } from '@causeway/config/networks.ts';
import { Choice, Entry, ListenHost, Section, type Static, Type } from '@causeway/config/schema.ts';
import { readSecret } from '@causeway/config/secret.ts';

/** The default of `admin.port`. */
export const DEFAULT_ADMIN_PORT = 8081;
/** The operator whose token is `admin.token` or `admin.tokenFile`. */
const SHORT_FORM_NAME = 'operator';
/** The characters of a bearer token (RFC 6750 §2.1). */
const TOKEN_PATTERN = '^[A-Za-z0-9._~+/=-]*$';
/** Shorter tokens could be guessed over the network within weeks; use 32 random bytes. */
const MIN_TOKEN_CHARS = 16;

/** What a token permits: a `viewer` reads, an `operator` makes changes, too. */
const ROLES = ['operator', 'viewer'] as const;
export type Role = (typeof ROLES)[number];

const TokenSection = Entry(
  {
    name: Type.String({
      description: 'Unique: the person or the program, in audit lines, events and on the page.',
      examples: ['alice'],
      pattern: '^[A-Za-z0-9._@-]+$',
    }),
    role: Choice(ROLES, {
      description: 'A viewer reads; an operator makes changes, too.',
      default: 'viewer',
    }),
    token: Type.Optional(
      Type.String({
        description: `At least ${MIN_TOKEN_CHARS} characters: 32 random bytes (openssl rand -base64 32).`,
        examples: ['${ALICE_TOKEN}'],
        pattern: TOKEN_PATTERN,
        writeOnly: true,
      }),
    ),
    tokenFile: Type.Optional(
      Type.String({
        description: 'File that contains the token, in place of token. Read whenever the configuration is read.',
        examples: ['/run/secrets/alice-token'],
      }),
    ),
  },
  { description: 'A token of one person or program.' },
);

export const AdminSection = Section(
  {
    host: ListenHost('Address for operators. A change needs a restart.'),
    port: Type.Integer({
      description: 'Port for operators; 0 lets the system choose. A change needs a restart.',
      default: DEFAULT_ADMIN_PORT,
      minimum: 0,
      maximum: 65_535,
    }),
    tls: Type.Optional(ListenTls),
    insecure: Type.Boolean({
      description:
        'Whether the admin API may be plain HTTP beyond loopback, as behind something that speaks TLS; tokens can be read on the way. A change needs a restart.',
      default: false,
    }),
    allowedHosts: Type.Array(Type.String({ pattern: '^[A-Za-z0-9._~:\\[\\]-]+$' }), {
      description:
        "Names accepted in the Host header, without ports, such as that of a proxy in front. Other names get 421, so that no page in an operator's browser can read this API under a name of its own (DNS rebinding). Always accepted: localhost, host, and the loopback addresses if host is one of them. Beyond loopback, where a token is required, every address is accepted, and every name while the list is empty.",
      default: [],
    }),
    allowedOrigins: Type.Array(Type.String(), {
      description:
        'Origins (https://ops.example) whose pages may send requests, such as that of a proxy in front that serves this page under another scheme, name or port. Requests from pages of all other origins get 403.',
      default: [],
    }),
    token: Type.Optional(
      Type.String({
        description: `Short form of one operator, named ${SHORT_FORM_NAME}; at least ${MIN_TOKEN_CHARS} characters. Changes need a token as "Authorization: Bearer TOKEN", and beyond loopback every request but /healthy, /ready and the page. Without tokens nothing can be changed, and host must be loopback. Regional gateways must know this token: with it, this gateway reads from and relays to their admin APIs. Without token and tokenFile it uses that of the first operator in tokens.`,
        examples: ['${CAUSEWAY_ADMIN_TOKEN}'],
        pattern: TOKEN_PATTERN,
        writeOnly: true,
      }),
    ),
    tokenFile: Type.Optional(
      Type.String({
        description: 'File that contains the token, in place of token. Read whenever the configuration is read.',
        examples: ['/run/secrets/causeway-admin-token'],
      }),
    ),
    tokens: Type.Array(TokenSection, {
      description: 'Tokens of several people and programs, each with a name and a role.',
      default: [],
    }),
  },
  { description: 'Where operators connect: /healthy, /ready, /metrics, /api/….' },
);
export type AdminSection = Static<typeof AdminSection>;

/** A token, and to whom it belongs. */
export interface AdminToken {
  name: string;
  role: Role;
  token: string;
}

/** The tokens of a section whose files were read ({@link withAdminTokens}); the short form comes first. */
export function adminTokensOf({ token = '', tokens }: AdminSection): readonly AdminToken[] {
  const short: AdminToken[] = token === '' ? [] : [{ name: SHORT_FORM_NAME, role: 'operator', token }];
  const named = tokens.flatMap(({ name, role, token: value = '' }) =>
    value === '' ? [] : [{ name, role, token: value }],
  );
  return [...short, ...named];
}

/** The token that this gateway shows to other gateways: that of the first operator, or of the first viewer. */
export function peerTokenOf(admin: AdminSection): string | undefined {
  const tokens = adminTokensOf(admin);
  return (tokens.find(({ role }) => role === 'operator') ?? tokens[0])?.token;
}

/** Reads the token files of a section. Errors: `Error` for a file that cannot be read. */
export function withAdminTokens(admin: AdminSection): AdminSection {
  const token = readSecret({ value: admin.token, file: admin.tokenFile });
  return {
    ...admin,
    ...(token === undefined ? {} : { token }),
    tokens: admin.tokens.map((entry) => {
      const value = readSecret({ value: entry.token, file: entry.tokenFile });
      return value === undefined ? entry : { ...entry, token: value };
    }),
  };
}

type Finding = { path: (string | number)[]; reason: string };

/** Finds problems of the section. Reads the files of tokens, not those of certificates. */
export function checkAdmin(admin: AdminSection): Finding[] {
  return [...checkTokens(admin), ...checkTls(admin), ...checkReach(admin), ...checkOrigins(admin)];
}

/** A token as configured: the short form, or one of the list. */
interface Configured {
  path: (string | number)[];
  name: string;
  token?: string;
  tokenFile?: string;
}

function configuredTokens({ token = '', tokenFile, tokens }: AdminSection): Configured[] {
  const short: Configured = { path: ['admin'], name: SHORT_FORM_NAME, token };
  if (tokenFile !== undefined) short.tokenFile = tokenFile;
  const hasShort = token !== '' || tokenFile !== undefined;
  const listed = tokens.map((entry, index) => ({ ...entry, path: ['admin', 'tokens', index] }));
  return hasShort ? [short, ...listed] : listed;
}

function checkTokens(admin: AdminSection): Finding[] {
  const findings: Finding[] = [];
  const names = new Set<string>();
  const owners = new Map<string, string>();
  for (const configured of configuredTokens(admin)) {
    const { path, name, tokenFile } = configured;
    if (names.has(name)) {
      const why = name === SHORT_FORM_NAME ? ' (admin.token and admin.tokenFile have it, too)' : '';
      findings.push({ path: [...path, 'name'], reason: `duplicate name ${name}${why}` });
    }
    names.add(name);
    const { token = '', problem } = readToken(configured);
    const owner = owners.get(token);
    const reason = problem ?? (owner === undefined ? undefined : `is also the token of ${owner}: each needs its own`);
    if (reason === undefined) owners.set(token, name);
    else findings.push({ path: [...path, tokenFile === undefined ? 'token' : 'tokenFile'], reason });
  }
  return findings;
}

function readToken({ token = '', tokenFile }: Configured): { token?: string; problem?: string } {
  if (tokenFile === undefined) return judgeToken(token, '');
  if (token !== '') return { problem: 'token and tokenFile exclude each other' };
  try {
    return judgeToken(readSecret({ value: undefined, file: tokenFile }) ?? '', `${tokenFile} `);
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}

/** `subject`: the file, for the reason. */
function judgeToken(token: string, subject: string): { token: string } | { problem: string } {
  if (!new RegExp(TOKEN_PATTERN).test(token)) {
    return { problem: `${subject}contains characters that a token in a header cannot have` };
  }
  if (token.length >= MIN_TOKEN_CHARS) return { token };
  const what = token === '' ? 'is empty' : `is shorter than ${MIN_TOKEN_CHARS} characters`;
  return { problem: `${subject}${what}: generate one with openssl rand -base64 32` };
}

function checkTls({ tls }: AdminSection): Finding[] {
  return checkListenTls(tls, ['admin', 'tls']);
}

/** Beyond loopback, requests need a token, and its way needs protection. */
function checkReach({ host, tls, insecure, token = '', tokenFile, tokens }: AdminSection): Finding[] {
  if (isLoopback(host)) return [];
  const findings: Finding[] = [];
  const path = ['admin', 'host'];
  if (token === '' && tokenFile === undefined && tokens.length === 0) {
    const reason = `${host} is reachable from other machines, so the admin API needs a token: set admin.token, admin.tokenFile or admin.tokens`;
    findings.push({ path, reason });
  }
  if (tls === undefined && !insecure) {
    const reason = `${host} is reachable from other machines, so the admin API needs TLS, or tokens could be read on the way: set admin.tls, or admin.insecure to true if something in front of it speaks TLS`;
    findings.push({ path, reason });
  }
  return findings;
}

function checkOrigins({ allowedOrigins }: AdminSection): Finding[] {
  return allowedOrigins.flatMap((origin, index) =>
    /^https?:\/\/[^/?#@\s]+$/i.test(origin) && URL.canParse(origin)
      ? []
      : [
          {
            path: ['admin', 'allowedOrigins', index],
            reason: `${origin} is not an origin: write scheme, name and port, as https://ops.example:8443`,
          },
        ],
  );
}
