import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { type PasswordInput, readPassword } from './read-password.ts';

/** A terminal: what it was asked, and whether it echoed at each key. */
function terminal(): { input: PasswordInput & PassThrough; prompts: PassThrough; modes: boolean[] } {
  const modes: boolean[] = [];
  const input = Object.assign(new PassThrough(), { isTTY: true, setRawMode: (isRaw: boolean) => modes.push(isRaw) });
  return { input, prompts: new PassThrough(), modes };
}

test('a terminal echoes nothing, and the password is entered twice', async () => {
  const { input, prompts, modes } = terminal();
  const password = readPassword(input, prompts);
  expect(modes).toEqual([true]);
  const bytes = Buffer.from('pässx\u007fword\r');
  for (const byte of bytes) input.write(Buffer.of(byte));
  await new Promise((resolve) => prompts.on('data', () => modes.length > 2 && resolve(undefined)));
  input.write('pässword\n');
  expect(await password).toBe('pässword');
  expect(modes).toEqual([true, false, true, false]);
});

test.each([
  ['two different entries', ['password\r', 'passwort\r'], 'The two entries differ.'],
  ['Ctrl-C', ['pass\u0003'], 'Interrupted.'],
  ['Ctrl-D', ['\u0004'], 'Interrupted.'],
])('%s: nothing is read, and the terminal echoes again', async (_, keys, reason) => {
  const { input, prompts, modes } = terminal();
  prompts.on('data', (text: Buffer) => {
    if (text.toString().endsWith(': ')) setImmediate(() => input.write(keys.shift()));
  });
  await expect(readPassword(input, prompts)).rejects.toThrow(reason);
  expect(modes.at(-1)).toBe(false);
});

test.each([
  ['secret words\n', 'secret words'],
  ['secret\r\n', 'secret'],
  ['secret', 'secret'],
  ['secret\n\n', 'secret\n'],
  [' secret ', ' secret '],
])('another input is the password: %j', async (text, password) => {
  const input = new PassThrough();
  input.end(text);
  expect(await readPassword(input, new PassThrough())).toBe(password);
});
