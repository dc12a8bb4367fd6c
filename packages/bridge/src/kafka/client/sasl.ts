/** How connections authenticate the bridge; each connection reads the secrets again. */

import { readSecret, type SecretSource } from '@causeway/config/secret.ts';
import { AuthenticationError, type SASLOptions } from '@platformatic/kafka';
import type { ConfigFinding, KafkaSaslConfig } from '../../kafka-config.ts';
import { OAuthTokens } from './oauth-tokens.ts';

/** `undefined` without SASL. */
export function saslOptions(
  config: KafkaSaslConfig,
  { tokenTimeoutMs }: { tokenTimeoutMs: number },
): SASLOptions | undefined {
  const { mechanism } = config;
  switch (mechanism) {
    case 'none':
      return undefined;
    case 'OAUTHBEARER':
      return {
        mechanism,
        token: tokenProvider(config, tokenTimeoutMs),
        oauthBearerExtensions: config.extensions,
        authBytesValidator: checkBearerAnswer,
      };
    default:
      return {
        mechanism,
        username: config.username ?? '',
        password: () => readSecret(passwordOf(config)) ?? '',
      };
  }
}

/** The files with secrets of the section at `place` that cannot be read, with the reasons. */
export function findSaslProblems(config: KafkaSaslConfig, place: readonly string[]): ConfigFinding[] {
  const { mechanism, passwordFile, tokenFile, oauth } = config;
  if (mechanism === 'none') return [];
  const files =
    mechanism === 'OAUTHBEARER' ? { tokenFile, 'oauth.clientSecretFile': oauth?.clientSecretFile } : { passwordFile };
  return Object.entries(files).flatMap(([key, file]) => {
    try {
      readSecret({ value: undefined, file });
      return [];
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return [{ path: [...place, 'sasl', ...key.split('.')], reason }];
    }
  });
}

function tokenProvider(config: KafkaSaslConfig, timeoutMs: number): () => string | Promise<string> {
  const { token, tokenFile, oauth } = config;
  if (oauth === undefined) return () => readSecret({ value: token, file: tokenFile }) ?? '';
  const { tokenEndpointUrl, clientId, clientSecret, clientSecretFile, scope } = oauth;
  const secret = { value: clientSecret, file: clientSecretFile };
  const tokens = new OAuthTokens({ tokenEndpointUrl, clientId, clientSecret: secret, scope, timeoutMs });
  return () => tokens.get();
}

function passwordOf({ password, passwordFile }: KafkaSaslConfig): SecretSource {
  return { value: password, file: passwordFile };
}

/**
 * A broker rejects a token in a response whose code is no error, but which has a text (RFC 7628, section 3.2.2). The library
 * would take it for success, and its own check calls back twice.
 */
export function checkBearerAnswer(bytes: Buffer, callback: (error: Error | null, bytes: Buffer) => void): void {
  if (bytes.length === 0) callback(null, bytes);
  else callback(new AuthenticationError(`The broker refused the token: ${statusOf(bytes)}`, REFUSED), bytes);
}

/** Marks the error as a broker's response, as {@link authenticationFailureIn} reads it. */
const REFUSED = { apiId: 'SASL_AUTHENTICATION_FAILED' } as const;

function statusOf(bytes: Buffer): string {
  try {
    const { status } = JSON.parse(bytes.toString('utf8')) as { status?: unknown };
    return String(status ?? 'no reason given');
  } catch {
    return 'no reason given';
  }
}
