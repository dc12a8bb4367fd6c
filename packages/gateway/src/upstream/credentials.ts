/** How the gateway authenticates targets, and itself to them: authorities and a certificate from files, read again when they change. */
import { createSecureContext, type SecureContext } from 'node:tls';
import { isExpiringSoon } from '@causeway/config/certificate-life.ts';
import {
  readUpstreamTls,
  type UpstreamTls,
  type UpstreamTlsFiles,
  type UpstreamTlsProblem,
} from '@causeway/config/upstream-tls.ts';
import { type FileWatch, watchFiles } from '@causeway/config/watch.ts';

export interface UpstreamCredentialsOptions {
  /** Changed files are in use (`null`), or cannot be used: those before stay. Also when the certificate in use expires. */
  onChange: (problem: string | null) => void;
  /** Milliseconds since 1970. Default: the system's clock. */
  wallClock?: () => number;
}

/** How often the end of the certificate is compared with the clock. */
const CHECK_INTERVAL_MS = 10_000;

export class UpstreamCredentials {
  /** Reads after the first, by their outcome. */
  readonly reloadCounts = { applied: 0, refused: 0 };
  readonly #options: UpstreamCredentialsOptions;
  #config: UpstreamTls;
  #files: UpstreamTlsFiles;
  /** Made for the first connection: Node's own authorities take time to load. */
  #secureContext: SecureContext | undefined;
  /** Why the files as they are now cannot be used. */
  #refusal: string | null = null;
  /** They can be used from then on. */
  #usableAtMs: number | undefined;
  #watch: FileWatch | undefined;
  #isStarted = false;
  #timer: NodeJS.Timeout | undefined;
  /** What `onChange` received last. */
  #reported: string | null = null;

  /** Errors: for files that cannot be used. */
  constructor(config: UpstreamTls, options: UpstreamCredentialsOptions) {
    this.#config = config;
    this.#options = options;
    const files = readUpstreamTls(config);
    if (!isRead(files)) throw new Error(describe(files));
    this.#files = files;
  }

  /** For a new connection: another object whenever files or settings have changed. */
  get secureContext(): SecureContext {
    this.#secureContext ??= createSecureContext(this.#files.context);
    return this.#secureContext;
  }

  /** Whether the gateway has a certificate for targets that demand one. */
  get hasCertificate(): boolean {
    return this.#files.context.cert !== undefined;
  }

  /** When the gateway's own certificate ends; `undefined` without one. */
  get expiresAtMs(): number | undefined {
    return this.#files.expiresAt?.getTime();
  }

  /** Whether the gateway's own certificate has little of its life left. */
  get isExpiringSoon(): boolean {
    const { validFrom, expiresAt } = this.#files;
    if (validFrom === undefined || expiresAt === undefined) return false;
    const life = { notBeforeMs: validFrom.getTime(), notAfterMs: expiresAt.getTime() };
    return isExpiringSoon(life, this.#nowMs());
  }

  /** What an operator must mend; `null` if nothing. */
  get problem(): string | null {
    return this.#refusal ?? this.#whyNotNow(this.#files);
  }

  /** Whether any file is configured. */
  get isConfigured(): boolean {
    const { caFile, certFile } = this.#config;
    return caFile !== undefined || certFile !== undefined;
  }

  start(): void {
    this.#isStarted = true;
    this.#watchFiles();
    this.#timer = setInterval(() => this.check(), CHECK_INTERVAL_MS);
    this.#timer.unref();
    this.check();
  }

  close(): void {
    this.#isStarted = false;
    this.#watch?.close();
    clearInterval(this.#timer);
  }

  /** Reports a certificate that has expired, and takes over one whose time has come. */
  check(): void {
    if (this.#usableAtMs !== undefined && this.#usableAtMs <= this.#nowMs()) this.#read();
    if (this.problem !== this.#reported) this.#report();
  }

  /** Takes over settings of a new configuration. Files that cannot be used leave everything as it is. */
  configure(config: UpstreamTls): void {
    if (JSON.stringify(config) === JSON.stringify(this.#config)) return;
    this.#config = config;
    this.#watch?.close();
    if (this.#isStarted) this.#watchFiles();
    this.#read();
    this.check();
  }

  #watchFiles(): void {
    const { caFile, certFile, keyFile, keyPassphraseFile } = this.#config;
    const files = [caFile, certFile, keyFile, keyPassphraseFile].filter((file) => file !== undefined);
    this.#watch = files.length === 0 ? undefined : watchFiles(files, () => this.#reload());
  }

  #reload(): void {
    const refusal = this.#read();
    this.reloadCounts[refusal === null ? 'applied' : 'refused'] += 1;
    this.#report();
  }

  #report(): void {
    this.#reported = this.problem;
    this.#options.onChange(this.#reported);
  }

  /** Returns why the files cannot be used. */
  #read(): string | null {
    const files = readUpstreamTls(this.#config);
    this.#usableAtMs = isRead(files) && this.#isEarly(files) ? files.validFrom?.getTime() : undefined;
    this.#refusal = isRead(files) ? this.#whyNotNow(files) : describe(files);
    if (this.#refusal !== null || !isRead(files)) return this.#refusal;
    this.#files = files;
    this.#secureContext = undefined;
    return null;
  }

  #whyNotNow(files: UpstreamTlsFiles): string | null {
    const { expiresAt, validFrom } = files;
    const { certFile } = this.#config;
    const subject = `upstream.tls.certFile: the certificate in ${certFile}`;
    if (expiresAt !== undefined && expiresAt.getTime() <= this.#nowMs()) {
      return `${subject} expired at ${expiresAt.toISOString()}`;
    }
    return this.#isEarly(files) ? `${subject} is not valid before ${validFrom?.toISOString()}` : null;
  }

  #isEarly({ validFrom }: UpstreamTlsFiles): boolean {
    return validFrom !== undefined && validFrom.getTime() > this.#nowMs();
  }

  #nowMs(): number {
    return (this.#options.wallClock ?? Date.now)();
  }
}

/** What operators see; `null` if no file is configured. */
export function describeCredentials({
  isConfigured,
  expiresAtMs,
  isExpiringSoon: expiresSoon,
  problem,
}: UpstreamCredentials): { notAfter: string | null; expiresSoon: boolean; problem: string | null } | null {
  if (!isConfigured) return null;
  return { notAfter: expiresAtMs === undefined ? null : new Date(expiresAtMs).toISOString(), expiresSoon, problem };
}

function isRead(files: UpstreamTlsFiles | readonly UpstreamTlsProblem[]): files is UpstreamTlsFiles {
  return !Array.isArray(files);
}

function describe(problems: readonly UpstreamTlsProblem[]): string {
  return problems.map(({ key, reason }) => `upstream.tls.${key}: ${reason}`).join('; ');
}
