/** Fetches an issuer's keys, found by OpenID Connect Discovery 1.0 where no URL is configured. */
import { readCertificates } from '@causeway/config/pem.ts';
import { Agent, type Dispatcher, request } from 'undici';
import { explainConnectionFailure } from '../regions/connection-failure.ts';

export interface KeyLocation {
  issuer: string;
  /** `undefined`: discovery. */
  jwksUrl: string | undefined;
  /** Authorities of https; `undefined`: those of Node. */
  caFile: string | undefined;
}

const MAX_BYTES = 262_144;

/** Returns the JSON that the issuer publishes. Redirects are errors. Errors: `Error` with URL and reason. */
export async function fetchJwks({ issuer, jwksUrl, caFile }: KeyLocation, signal: AbortSignal): Promise<unknown> {
  const connect = caFile === undefined ? {} : { ca: readCertificates(caFile).pem };
  const agent = new Agent({ connect, maxResponseSize: MAX_BYTES });
  try {
    const url = jwksUrl ?? (await discover(issuer, { agent, signal }));
    return await fetchJson(url, { agent, signal });
  } finally {
    void agent.destroy();
  }
}

interface Fetching {
  agent: Dispatcher;
  signal: AbortSignal;
}

/** https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig */
async function discover(issuer: string, fetching: Fetching): Promise<string> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const found = (await fetchJson(url, fetching)) as { issuer?: unknown; jwks_uri?: unknown } | null;
  if (found?.issuer !== issuer) throw new Error(`${url} is of another issuer: ${JSON.stringify(found?.issuer)}`);
  const { jwks_uri: jwksUri } = found;
  if (typeof jwksUri !== 'string' || !URL.canParse(jwksUri)) throw new Error(`${url} has no jwks_uri`);
  // A document over TLS must not lead to one without.
  if (new URL(jwksUri).protocol !== new URL(issuer).protocol) {
    throw new Error(`${url} has a jwks_uri of another scheme: ${jwksUri}`);
  }
  return jwksUri;
}

async function fetchJson(url: string, { agent, signal }: Fetching): Promise<unknown> {
  let text: string;
  let status: number;
  try {
    const { statusCode, body } = await request(url, {
      dispatcher: agent,
      headers: { accept: 'application/json' },
      signal,
    });
    status = statusCode;
    text = await body.text();
  } catch (cause) {
    throw new Error(`${url}: ${reasonOf(cause)}`, { cause });
  }
  if (status !== 200) throw new Error(`${url}: response ${status}`);
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new Error(`${url}: the response is not JSON`, { cause });
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return 'no whole response in time';
  if (error.name === 'ResponseExceededMaxSizeError') return `the response is longer than ${MAX_BYTES} bytes`;
  return explainConnectionFailure(error);
}
