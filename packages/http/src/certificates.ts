/** The certificates of a listener: read from files, chosen by server name, and read again when their files change. */
import type { Server, Socket } from 'node:net';
import {
  createSecureContext,
  type SecureContext,
  type SecureContextOptions,
  type TLSSocket,
  Server as TlsServer,
} from 'node:tls';
import { isExpiringSoon } from '@causeway/config/certificate-life.ts';
import { certificateFiles, clientCertificatesOf, type ListenTls } from '@causeway/config/listen-tls.ts';
import { type FileWatch, watchFiles } from '@causeway/config/watch.ts';
import { certificateFor } from './alt-names.ts';
import { type CertifiedKey, readAuthorities, readCertifiedKey } from './certified-key.ts';
import { contextOptions, newTicketKeys } from './context-options.ts';
import { HandshakeFailures, type HandshakeReport } from './handshake-failures.ts';

export interface CertificatesOptions {
  /** The listener's section in the configuration, for errors: `listen.tls`. */
  place: string;
  /** New connections get another certificate, or a problem began or ended. */
  onChange: (state: CertificateState) => void;
  /** Clients could not connect: each kind at most once a minute. */
  onHandshakeFailure: (report: HandshakeReport) => void;
  /** Milliseconds since 1970. */
  now?: () => number;
}

export interface CertificateState {
  /** When the first of the certificates expires. */
  notAfter: Date;
  /** All names of the certificates. */
  names: readonly string[];
  /** One of them has little of its life left: its renewal failed, or does not exist. */
  isExpiringSoon: boolean;
  /** Why clients cannot connect, or a changed file is not in use. */
  problem: string | undefined;
}

/** What a server gets, besides its own options. */
export type ServerTls = SecureContextOptions & {
  requestCert: boolean;
  rejectUnauthorized: boolean;
  SNICallback: (serverName: string, done: (error: Error | null, context?: SecureContext) => void) => void;
};

/** After this time, tickets of before end in a full handshake: who steals keys reads connections of this time only. */
const TICKET_KEYS_LIFE_MS = 3_600_000;
/** How often dates are compared with the clock. */
const CHECK_INTERVAL_MS = 10_000;

/** One part of a listener's files, with what it had when it was last usable. */
interface Part<Value> {
  value: Value;
  problem: string | undefined;
  readonly read: () => { value: Value } | { reason: string };
  readonly files: readonly string[];
}

export class Certificates {
  /** Reads after the first, by their outcome. */
  readonly reloadCounts = { applied: 0, refused: 0 };
  readonly handshakeFailures: HandshakeFailures;
  readonly #config: ListenTls;
  readonly #options: CertificatesOptions;
  readonly #now: () => number;
  readonly #servers: TlsServer[] = [];
  readonly #keys: Part<CertifiedKey>[];
  readonly #authorities: Part<{ ca: string; notAfterMs: number }> | undefined;
  #ticketKeys = newTicketKeys();
  #ticketKeysAtMs: number;
  #contexts: SecureContext[] = [];
  #watches: FileWatch[] = [];
  #timer: NodeJS.Timeout | undefined;
  #reportedProblem: string | undefined;

  /** Errors: for files that cannot be read or used. */
  constructor(config: ListenTls, options: CertificatesOptions) {
    const { place, onHandshakeFailure, now = Date.now } = options;
    this.#config = config;
    this.#options = options;
    this.#now = now;
    this.#ticketKeysAtMs = now();
    this.handshakeFailures = new HandshakeFailures(onHandshakeFailure);
    const [problem] = certificateProblems(config, [place]);
    if (problem !== undefined) throw new Error(`${problem.path.join('.')} cannot be used: ${problem.reason}`);
    this.#keys = certificateFiles(config).map(({ files }) =>
      partOf(() => readCertifiedKey(files), [files.certFile, files.keyFile, files.keyPassphraseFile]),
    );
    const { clientCaFile } = config;
    this.#authorities =
      clientCaFile === undefined ? undefined : partOf(() => readAuthorities(clientCaFile), [clientCaFile]);
    this.#contexts = this.#createContexts();
  }

  /** For the constructor of a server, which {@link serve} then keeps up to date. */
  get options(): ServerTls {
    const clientCertificates = clientCertificatesOf(this.#config);
    return {
      ...this.#contextOptions(0),
      requestCert: clientCertificates !== 'none',
      rejectUnauthorized: clientCertificates === 'require',
      SNICallback: (serverName, done) => done(null, this.#contextFor(serverName)),
    };
  }

  get state(): CertificateState {
    const keys = this.#keys.map(({ value }) => value);
    return {
      notAfter: new Date(Math.min(...keys.map(({ notAfterMs }) => notAfterMs))),
      isExpiringSoon: keys.some((key) => isExpiringSoon(key, this.#now())),
      names: [...new Set(keys.flatMap(({ names }) => [...names.dnsNames, ...names.addresses]))],
      problem: this.#problem(),
    };
  }

  /** New connections of the server get every later certificate; open ones keep theirs. */
  serve(server: Server): void {
    if (!(server instanceof TlsServer)) return;
    this.#servers.push(server);
    // Node keeps the address once it was read; a connection that the server refuses is closed before it reports why. That of
    // the connection below TLS is the one that a load balancer announced.
    server.on('connection', (socket: Socket) => void socket.remoteAddress);
    server.on('tlsClientError', (error, socket: TLSSocket & { _parent?: Socket }) => {
      // Node's types have an Error; it is a string, or null.
      const authorizationError = (socket.authorizationError ?? undefined) as unknown as string | undefined;
      this.handshakeFailures.count(
        { error, authorizationError },
        socket._parent?.remoteAddress ?? socket.remoteAddress,
      );
    });
  }

  start(): void {
    const parts = this.#authorities === undefined ? this.#keys : [...this.#keys, this.#authorities];
    this.#watches = parts.map((part) => watchFiles(part.files, () => this.#reload(part)));
    this.#timer = setInterval(() => this.check(), CHECK_INTERVAL_MS);
    this.#timer.unref();
    this.check();
  }

  close(): void {
    for (const watch of this.#watches.splice(0)) watch.close();
    clearInterval(this.#timer);
  }

  /** Compares the dates of certificates and ticket keys with the clock. */
  check(): void {
    if (this.#now() - this.#ticketKeysAtMs >= TICKET_KEYS_LIFE_MS) {
      this.#ticketKeys = newTicketKeys();
      this.#ticketKeysAtMs = this.#now();
      this.#install();
    }
    const { state } = this;
    if (state.problem === this.#reportedProblem) return;
    this.#reportedProblem = state.problem;
    this.#options.onChange(state);
  }

  #reload(part: Part<unknown>): void {
    const result = part.read();
    if ('reason' in result) {
      part.problem = result.reason;
      this.reloadCounts.refused += 1;
      this.check();
      return;
    }
    part.value = result.value;
    part.problem = undefined;
    this.reloadCounts.applied += 1;
    this.#install();
    const { state } = this;
    this.#reportedProblem = state.problem;
    this.#options.onChange(state);
  }

  /** Makes the next connections use what was read last. */
  #install(): void {
    this.#contexts = this.#createContexts();
    for (const server of this.#servers) server.setSecureContext(this.#contextOptions(0));
  }

  #createContexts(): SecureContext[] {
    return this.#keys.map((_, index) => createSecureContext(this.#contextOptions(index)));
  }

  #contextOptions(index: number): SecureContextOptions {
    const { cert, key } = (this.#keys[index] as Part<CertifiedKey>).value;
    const { minVersion } = this.#config;
    return contextOptions({ cert, key, ca: this.#authorities?.value.ca, minVersion, ticketKeys: this.#ticketKeys });
  }

  #contextFor(serverName: string): SecureContext | undefined {
    return this.#contexts[
      certificateFor(
        serverName,
        this.#keys.map(({ value }) => value),
      )
    ];
  }

  #problem(): string | undefined {
    const nowMs = this.#now();
    const problems: (string | undefined)[] = [];
    for (const { value, problem } of this.#keys) problems.push(problem, datesProblem(value, nowMs));
    if (this.#authorities !== undefined) {
      const { value, problem } = this.#authorities;
      problems.push(problem);
      if (value.notAfterMs <= nowMs)
        problems.push('every authority of clientCaFile has expired: no client is accepted');
    }
    const found = problems.filter((problem) => problem !== undefined);
    return found.length === 0 ? undefined : found.join('; ');
  }
}

/** Why a listener cannot use its files; empty when it can. An expired certificate is no reason: clients decide. `path`: of the section. */
export function certificateProblems(
  config: ListenTls | undefined,
  path: readonly (string | number)[],
): { path: (string | number)[]; reason: string }[] {
  if (config === undefined) return [];
  const findings = certificateFiles(config).flatMap(({ files, place }) => {
    const result = readCertifiedKey(files);
    return 'reason' in result ? [{ path: [...path, ...place, result.key], reason: result.reason }] : [];
  });
  const authorities = config.clientCaFile === undefined ? undefined : readAuthorities(config.clientCaFile);
  if (authorities !== undefined && 'reason' in authorities) {
    findings.push({ path: [...path, authorities.key], reason: authorities.reason });
  }
  return findings;
}

function partOf<Value>(read: Part<Value>['read'], files: readonly (string | undefined)[]): Part<Value> {
  const result = read();
  if ('reason' in result) throw new Error(result.reason);
  return { value: result.value, problem: undefined, read, files: files.filter((file) => file !== undefined) };
}

function datesProblem({ title, notBeforeMs, notAfterMs }: CertifiedKey, nowMs: number): string | undefined {
  if (nowMs >= notAfterMs) return `the certificate of ${title} expired on ${new Date(notAfterMs).toISOString()}`;
  if (nowMs < notBeforeMs)
    return `the certificate of ${title} is not valid before ${new Date(notBeforeMs).toISOString()}`;
  return undefined;
}
