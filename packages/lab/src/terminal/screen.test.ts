import { expect, test } from 'vitest';
import { Screen } from './screen.ts';

function stream(isTTY: boolean): { isTTY: boolean; columns: number; text: string; write(text: string): void } {
  return {
    isTTY,
    columns: 20,
    text: '',
    write(text: string) {
      this.text += text;
    },
  };
}

const ERASE = '\r\u001b[2K';

test('in a terminal the status stays below what is printed, and is rewritten', () => {
  const out = stream(true);
  const screen = new Screen(out);
  screen.status('one');
  screen.print('line');
  screen.status('two');
  screen.status(undefined);
  screen.print('end');
  expect(out.text).toBe(`one${ERASE}line\none${ERASE}two${ERASE}end\n`);
});

test('a status that is wider than the terminal is cut, so that it can be erased', () => {
  const out = stream(true);
  new Screen(out).status('a line of more than twenty columns');
  expect(out.text).toBe('a line of more tha…');
});

test('without a terminal there is no status', () => {
  const out = stream(false);
  const screen = new Screen(out);
  screen.status('one');
  screen.print('line');
  expect(out.text).toBe('line\n');
});
