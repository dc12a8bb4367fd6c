/** Writes lines of JSON to a file or to standard output: beside the requests, which never wait for it. */
import { once } from 'node:events';
import sonicBoom from 'sonic-boom';
import type { AccessLogConfig } from './sections.ts';

const STANDARD_OUTPUT = 1;
/** Lines are written together once they are this long, or after a moment. */
const WRITE_BYTES = 4_096;
const WRITE_INTERVAL_MS = 250;
/** Larger than that a write to a pipe may be torn apart by others' (PIPE_BUF of Linux). */
const MAX_PIPE_WRITE_BYTES = 4_096;
const MAX_FILE_WRITE_BYTES = 65_536;
/** How long the last lines may take at the end. */
const CLOSE_TIMEOUT_MS = 1_000;

export interface AccessLogOptions extends Omit<AccessLogConfig, 'sampleRatio'> {
  /** Lines cannot be written (told once, not for each), or can be again (`undefined`). */
  onTrouble: (reason: string | undefined) => void;
}

export class AccessLog {
  readonly #stream: sonicBoom.SonicBoom;
  readonly #isFile: boolean;
  #timer: NodeJS.Timeout | undefined;
  #isInTrouble = false;
  #isClosed = false;
  /** Lines that were thrown away since too much waited. */
  droppedCount = 0;

  private constructor({ file, maxQueuedBytes, onTrouble }: AccessLogOptions) {
    this.#isFile = file !== undefined;
    this.#stream = new sonicBoom.SonicBoom({
      dest: file ?? STANDARD_OUTPUT,
      sync: false,
      mkdir: true,
      minLength: WRITE_BYTES - 1,
      maxWrite: this.#isFile ? MAX_FILE_WRITE_BYTES : MAX_PIPE_WRITE_BYTES,
      maxLength: maxQueuedBytes,
      // As text, what waits would be measured anew with every line.
      contentMode: 'buffer',
    });
    this.#stream.on('drop', () => {
      this.droppedCount += 1;
    });
    this.#stream.on('error', (error: Error) => {
      if (this.#isInTrouble || this.#isClosed) return;
      this.#isInTrouble = true;
      onTrouble(error.message);
    });
    this.#stream.on('write', () => {
      if (!this.#isInTrouble) return;
      this.#isInTrouble = false;
      onTrouble(undefined);
    });
  }

  /** Errors: of the file system, for a file that cannot be written to. */
  static async open(options: AccessLogOptions): Promise<AccessLog> {
    const log = new AccessLog(options);
    // Before that an error is the caller's to tell.
    log.#isInTrouble = true;
    await once(log.#stream, 'ready');
    log.#isInTrouble = false;
    // The library's own timer would also run, and throw, where the file cannot be opened.
    log.#timer = setInterval(() => log.#stream.flush(), WRITE_INTERVAL_MS).unref();
    return log;
  }

  /** At once; the line leaves later, or is dropped. */
  write(entry: object): void {
    // In this mode bytes are what it takes; its types know text alone.
    if (!this.#isClosed) this.#stream.write(Buffer.from(`${JSON.stringify(entry)}\n`) as unknown as string);
  }

  /** Goes on in a new file of the same name: logrotate has moved the old one. */
  reopen(): void {
    if (this.#isFile && !this.#isClosed) this.#stream.reopen();
  }

  /** Writes what is left, within a second. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#timer);
    const closed = once(this.#stream, 'close', { signal: AbortSignal.timeout(CLOSE_TIMEOUT_MS) }).catch(() => {});
    this.#stream.end();
    await closed;
    // Of a disk that takes no more.
    this.#stream.destroy();
  }
}
