/** Why a call to Kafka failed: in full for logs and operators, and without names and addresses of brokers for clients. */
import { type MultipleErrors, ResponseError } from '@platformatic/kafka';
import { BridgeError } from '../../errors.ts';

/** What codes of Node.js and of the client library mean; clients may read it. */
const PUBLIC_REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection closed',
  EPIPE: 'connection closed',
  ETIMEDOUT: 'no response in time',
  EHOSTUNREACH: 'no route to the brokers',
  ENETUNREACH: 'no route to the brokers',
  ENOTFOUND: 'the names of the brokers cannot be resolved',
  EAI_AGAIN: 'the names of the brokers cannot be resolved',
  EMFILE: 'the bridge has too many open files',
  ENFILE: 'the host of the bridge has too many open files',
  EADDRNOTAVAIL: 'the bridge has no free local port',
  PLT_KFK_AUTHENTICATION: 'authentication failed',
  PLT_KFK_TIMEOUT: 'no response in time',
};
/** How codes of OpenSSL and of Node's TLS begin. */
const TLS_CODE = /^(?:CERT_|ERR_TLS_|ERR_SSL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/;

/** Why a call failed, from the outside to the cause, in one line: `Connection to kafka:9093 failed: certificate has expired`. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const texts: string[] = [];
  for (const inner of chainOf(error)) {
    const text = ownText(inner);
    if (text !== '' && !texts.includes(text)) texts.push(text);
  }
  return texts.join(': ');
}

/** Why a call failed, without any text that comes from elsewhere; `undefined` for a cause that is not known. */
export function publicReasonOf(error: unknown): string | undefined {
  for (const inner of chainOf(error)) {
    const code = String((inner as NodeJS.ErrnoException).code ?? '');
    if (Object.hasOwn(PUBLIC_REASONS, code)) return PUBLIC_REASONS[code];
    if (TLS_CODE.test(code)) return 'the TLS handshake failed';
  }
  return undefined;
}

/** The error and its causes, from the outside. */
export function* chainOf(error: unknown): Generator<Error> {
  for (let inner = error; inner instanceof Error; inner = causeOf(inner)) yield inner;
}

function causeOf(error: Error): unknown {
  return (error as Partial<MultipleErrors>).errors?.[0] ?? error.cause;
}

function ownText(error: Error): string {
  // The text of the broker says more than that of the library; that of a response with errors only counts them.
  if (error instanceof ResponseError) return '';
  // Its cause says the same in full.
  if (error instanceof BridgeError && error.code === 'kafkaUnavailable' && error.cause instanceof Error) return '';
  const { serverErrorMessage } = error as { serverErrorMessage?: unknown };
  const text = typeof serverErrorMessage === 'string' ? serverErrorMessage : error.message || nameOf(error);
  return text.replace(/\.$/, '');
}

/** Node.js puts the attempts at each address of a host into one error without a text. */
function nameOf(error: Error): string {
  return String((error as NodeJS.ErrnoException).code ?? '');
}
