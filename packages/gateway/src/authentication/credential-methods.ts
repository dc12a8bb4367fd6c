/** The methods of authentication whose credentials stand in files, or in certificates: made from the configuration, across its reloads. */
import type { AuthSection } from '../config/auth.ts';
import { ApiKeys } from './api-keys.ts';
import { Basic } from './basic.ts';
import { ClientCertificates } from './client-certificates.ts';
import { type CredentialsFile, NO_CREDENTIALS } from './credentials-file.ts';
import { type CredentialsChange, CredentialsStore } from './credentials-store.ts';
import type { AuthenticationMethod } from './method.ts';
import { PasswordChecks } from './password-checks.ts';

export interface CredentialMethodsOptions {
  /** A file has changed, or cannot be used. */
  onChange: (change: CredentialsChange) => void;
  /** Milliseconds, never going back. */
  now: () => number;
  /** Milliseconds since 1970. */
  wallClock: () => number;
}

export class CredentialMethods {
  readonly checks: PasswordChecks;
  readonly #options: CredentialMethodsOptions;
  /** By file: two methods may share one. */
  readonly #stores = new Map<string, CredentialsStore>();
  /** By name, with their configuration: an unchanged method keeps what it knows. */
  readonly #methods = new Map<string, { text: string; method: AuthenticationMethod }>();

  constructor(options: CredentialMethodsOptions) {
    this.#options = options;
    this.checks = new PasswordChecks({ now: options.now });
  }

  /** The files in use. */
  get stores(): Iterable<CredentialsStore> {
    return this.#stores.values();
  }

  /** Takes over a configuration; returns the methods in the order in which they are asked. */
  configure(auth: Pick<AuthSection, 'basic' | 'apiKeys' | 'clientCertificates'>): readonly AuthenticationMethod[] {
    const { basic, apiKeys, clientCertificates } = auth;
    this.#open([basic?.file, apiKeys?.file].filter((file) => file !== undefined));
    const { checks } = this;
    const { now, wallClock } = this.#options;
    return [
      this.#method(
        'basic',
        basic,
        ({ file, realm }) => new Basic({ file: () => this.#current(file), realm, checks, now }),
      ),
      this.#method(
        'apiKeys',
        apiKeys,
        ({ file, header }) => new ApiKeys({ file: () => this.#current(file), header: header.toLowerCase() }),
      ),
      this.#method(
        'clientCertificates',
        clientCertificates,
        ({ principal: names, principalPrefix: prefix, roles }) =>
          new ClientCertificates({ names, prefix, hasRoles: roles === 'organizationalUnit', wallClock }),
      ),
    ].filter((method) => method !== undefined);
  }

  close(): void {
    this.#open([]);
  }

  #open(files: readonly string[]): void {
    for (const [file, store] of this.#stores) {
      if (files.includes(file)) continue;
      store.close();
      this.#stores.delete(file);
    }
    for (const file of files) {
      if (!this.#stores.has(file)) this.#stores.set(file, new CredentialsStore(file, this.#options));
    }
  }

  #current(file: string): CredentialsFile {
    return this.#stores.get(file)?.current ?? NO_CREDENTIALS;
  }

  #method<Config>(
    name: string,
    config: Config | undefined,
    make: (config: Config) => AuthenticationMethod,
  ): AuthenticationMethod | undefined {
    if (config === undefined) {
      this.#methods.delete(name);
      return undefined;
    }
    const text = JSON.stringify(config);
    const known = this.#methods.get(name);
    if (known?.text === text) return known.method;
    const method = make(config);
    this.#methods.set(name, { text, method });
    return method;
  }
}
