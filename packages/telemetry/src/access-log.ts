/** Writes lines of JSON to a file or to standard output. Requests never wait for it. */
import { once } from 'node:events';
import sonicBoom from 'sonic-boom';
import type { AccessLogConfig } from './sections.ts';

const STANDARD_OUTPUT = 1;
/** Lines are written together once they are this long, or after a moment. */
const WRITE_BYTES = 4_096;
const WRITE_INTERVAL_MS = 250;
/** Larger writes to a pipe may be interleaved with those of other processes (PIPE_BUF of Linux). */
const MAX_PIPE_WRITE_BYTES = 4_096;
const MAX_FILE_WRITE_BYTES = 65_536;
/** How long closing waits for the last lines. */
const CLOSE_TIMEOUT_MS = 1_000;

export interface AccessLogOptions extends Omit<AccessLogConfig, 'sampleRatio'> {
  /** Lines cannot be written (reported once, not for each line), or can be written again (`undefined`). */
  onTrouble: (reason: string | undefined) => void;
}

export class AccessLog {
  readonly #stream: sonicBoom.SonicBoom;
  readonly #isFile: boolean;
  #timer: NodeJS.Timeout | undefined;
  #isInTrouble = false;
  #isClosed = false;
  /** Lines that were dropped because the queue was full. */
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
      // With text, the library would measure the whole queue for every line.
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

  /** Errors: those of the file system, for a file that cannot be written. */
  static async open(options: AccessLogOptions): Promise<AccessLog> {
    const log = new AccessLog(options);
    // Until then the caller reports errors.
    log.#isInTrouble = true;
    await once(log.#stream, 'ready');
    log.#isInTrouble = false;
    // The library's own timer would run and throw even when the file cannot be opened.
    log.#timer = setInterval(() => log.#stream.flush(), WRITE_INTERVAL_MS).unref();
    return log;
  }

  /** Returns at once; the line is written later, or dropped. */
  write(entry: object): void {
    // In this mode it takes bytes; its types declare text only.
    if (!this.#isClosed) this.#stream.write(Buffer.from(`${JSON.stringify(entry)}\n`) as unknown as string);
  }

  /** Continues in a new file of the same name: logrotate has moved the old one. */
  reopen(): void {
    if (this.#isFile && !this.#isClosed) this.#stream.reopen();
  }

  /** Writes the remaining lines, within a second. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#timer);
    const closed = once(this.#stream, 'close', { signal: AbortSignal.timeout(CLOSE_TIMEOUT_MS) }).catch(() => {});
    this.#stream.end();
    await closed;
    // The error of a full disk.
    this.#stream.destroy();
  }
}
