/** Permanent lines above one status line, which is rewritten; without a terminal there is no status line. */
import { stripVTControlCharacters, styleText } from 'node:util';

type Style = Parameters<typeof styleText>[0];

/** The part of `process.stdout` that the screen needs. */
export interface ScreenStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const DEFAULT_COLUMNS = 80;
const ERASE_LINE = '\r\u001b[2K';

export class Screen {
  readonly isTerminal: boolean;
  readonly #stream: ScreenStream;
  #status: string | undefined;

  constructor(stream: ScreenStream) {
    this.#stream = stream;
    this.isTerminal = stream.isTTY === true;
  }

  /** Unlimited without a terminal. */
  get columns(): number {
    return this.isTerminal ? (this.#stream.columns ?? DEFAULT_COLUMNS) : Number.POSITIVE_INFINITY;
  }

  /** Prints permanent lines. */
  print(text: string): void {
    this.#stream.write(`${this.#erase()}${text}\n${this.#status ?? ''}`);
  }

  /** Replaces the line at the bottom; `undefined` removes it. Nothing without a terminal. */
  status(text: string | undefined): void {
    if (!this.isTerminal) return;
    const erase = this.#erase();
    this.#status = text === undefined ? undefined : this.#fit(text);
    this.#stream.write(`${erase}${this.#status ?? ''}`);
  }

  /** Colour, if the terminal has it (and `NO_COLOR` does not forbid it). */
  style(style: Style, text: string): string {
    return styleText(style, text, { stream: this.#stream as NodeJS.WritableStream });
  }

  #erase(): string {
    return this.#status === undefined ? '' : ERASE_LINE;
  }

  /** A line that wraps could not be erased. */
  #fit(text: string): string {
    const plain = stripVTControlCharacters(text);
    return plain.length < this.columns ? text : `${plain.slice(0, this.columns - 2)}…`;
  }
}
