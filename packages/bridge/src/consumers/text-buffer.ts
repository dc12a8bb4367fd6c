/** Text that grows in one buffer: without a string of the whole, which would have to be encoded once more. */

export class TextBuffer {
  #target: Buffer;
  #end = 0;
  /** ASCII that comes next: short pieces are written together. */
  #pending = '';

  constructor(expectedBytes: number) {
    this.#target = Buffer.allocUnsafe(expectedBytes);
  }

  /** In bytes. */
  get length(): number {
    return this.#end + this.#pending.length;
  }

  /** What was added, in the buffer itself. */
  get bytes(): Buffer {
    this.#flush();
    return this.#target.subarray(0, this.#end);
  }

  /** Adds text that has ASCII characters only. */
  ascii(text: string): void {
    this.#pending += text;
  }

  /** Adds any text. */
  unicode(text: string): void {
    this.#flush();
    const bytes = Buffer.byteLength(text);
    this.#grow(bytes);
    this.#end += this.#target.write(text, this.#end, bytes);
  }

  /** Adds bytes of UTF-8 as they are. */
  utf8(bytes: Buffer): void {
    this.#flush();
    this.#grow(bytes.length);
    this.#target.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** Back to an earlier {@link length}. */
  cut(length: number): void {
    this.#flush();
    this.#end = length;
  }

  #flush(): void {
    const text = this.#pending;
    if (text === '') return;
    this.#grow(text.length);
    this.#end += this.#target.write(text, this.#end, 'latin1');
    this.#pending = '';
  }

  #grow(bytes: number): void {
    const neededBytes = this.#end + bytes;
    if (neededBytes <= this.#target.length) return;
    const larger = Buffer.allocUnsafe(Math.max(neededBytes, this.#target.length * 2));
    larger.set(this.#target.subarray(0, this.#end));
    this.#target = larger;
  }
}
