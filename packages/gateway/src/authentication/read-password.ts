/** Reads a password: from a terminal without showing it, or the whole of another input. */
import type { Readable, Writable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';

/** Standard input; a terminal has `setRawMode`. */
export interface PasswordInput extends Readable {
  readonly isTTY?: boolean;
  setRawMode?(isRaw: boolean): unknown;
}

const INTERRUPT = '\u0003';
const END_OF_INPUT = '\u0004';
const BACKSPACES = ['\u007f', '\b'];
const LINE_ENDS = ['\r', '\n'];

/** Without its last line end. Errors: `Error` for two different entries on a terminal, and when it was interrupted. */
export async function readPassword(input: PasswordInput, prompts: Writable): Promise<string> {
  if (input.isTTY !== true) return await readAll(input);
  const password = await readHidden(input, prompts, 'Password: ');
  if ((await readHidden(input, prompts, 'Again: ')) !== password) throw new Error('The two entries differ.');
  return password;
}

async function readAll(input: PasswordInput): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of input) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks)
    .toString()
    .replace(/\r?\n$/, '');
}

/** In raw mode the terminal echoes nothing, and every key arrives here. */
async function readHidden(input: PasswordInput, prompts: Writable, prompt: string): Promise<string> {
  prompts.write(prompt);
  input.setRawMode?.(true);
  try {
    return await readLine(input);
  } finally {
    input.setRawMode?.(false);
    input.pause();
    prompts.write('\n');
  }
}

function readLine(input: PasswordInput): Promise<string> {
  return new Promise((resolve, reject) => {
    const decoder = new StringDecoder('utf8');
    let line = '';
    const finish = (error?: Error): void => {
      input.off('data', onData);
      input.off('end', onEnd);
      if (error === undefined) resolve(line);
      else reject(error);
    };
    const onEnd = (): void => finish(new Error('The input ended.'));
    const onData = (chunk: Buffer): void => {
      for (const character of decoder.write(chunk)) {
        if (LINE_ENDS.includes(character)) {
          finish();
          return;
        }
        if (character === INTERRUPT || character === END_OF_INPUT) {
          finish(new Error('Interrupted.'));
          return;
        }
        line = BACKSPACES.includes(character) ? [...line].slice(0, -1).join('') : line + character;
      }
    };
    input.on('data', onData);
    input.on('end', onEnd);
    input.resume();
  });
}
