/** API keys: random texts, found by their SHA-256, so that neither the file nor the time of a look-up reveals one. */
import { hash } from 'node:crypto';
import type { Credentials, CredentialsFile } from './credentials-file.ts';
import type { Authenticated, Authentication, AuthenticationMethod, CredentialedRequest } from './method.ts';

export interface ApiKeysOptions {
  /** The file in use. */
  file: () => CredentialsFile;
  /** Its name, in lower case. */
  header: string;
}

/** Longer texts are refused before they are hashed. */
const MAX_KEY_CHARACTERS = 512;

const WRONG: Authentication = { kind: 'failed', message: 'The API key is unknown.' };

/** The digest under which a file has a key. */
export function digestOfKey(key: string): string {
  return hash('sha256', key, 'hex');
}

export class ApiKeys implements AuthenticationMethod {
  readonly name = 'apiKey';
  /** No scheme is registered for keys in a header of their own; a response 401 has at least one (RFC 9110 §15.5.2). */
  readonly challenge: string;
  readonly credentialHeaders: readonly string[];
  readonly #options: ApiKeysOptions;
  /** Made once for each entry of the file in use. */
  readonly #authenticated = new WeakMap<Credentials, Authenticated>();

  constructor(options: ApiKeysOptions) {
    this.#options = options;
    this.challenge = `ApiKey realm="causeway", header="${options.header}"`;
    this.credentialHeaders = [options.header];
  }

  applies({ message }: CredentialedRequest): boolean {
    return message.headers[this.#options.header] !== undefined;
  }

  recall({ message }: CredentialedRequest): Authenticated | undefined {
    const key = message.headers[this.#options.header];
    if (typeof key !== 'string' || key === '' || key.length > MAX_KEY_CHARACTERS) return undefined;
    const credentials = this.#options.file().byKeyHash.get(digestOfKey(key));
    return credentials === undefined ? undefined : this.#authenticatedAs(credentials);
  }

  authenticate(request: CredentialedRequest): Authentication {
    return this.recall(request) ?? WRONG;
  }

  #authenticatedAs(credentials: Credentials): Authenticated {
    let authenticated = this.#authenticated.get(credentials);
    if (authenticated === undefined) {
      const { name, roles } = credentials;
      authenticated = { kind: 'authenticated', principal: { name, roles, method: 'apiKey' } };
      this.#authenticated.set(credentials, authenticated);
    }
    return authenticated;
  }
}
