import { expect, test } from 'vitest';
import { parseAttackArguments } from './arguments.ts';
import { ATTACKS } from './attacks.ts';

test('without arguments every attack is played, within five minutes including the start of the system', () => {
  expect(parseAttackArguments([])).toEqual({
    kind: 'run',
    options: { attacks: ATTACKS, seconds: 270, isSecure: false, seed: undefined, directory: undefined },
  });
});

test('attacks can be chosen, in the order of the arguments', () => {
  const argv = ['--scenario', 'pipelining', '--scenario', 'long-key', '--seed', '7', '--seconds', '20', '--tls'];
  expect(parseAttackArguments(argv)).toMatchObject({
    kind: 'run',
    options: { attacks: [{ name: 'pipelining' }, { name: 'long-key' }], seed: 7, seconds: 20, isSecure: true },
  });
});

test.each([
  [['--list'], 'list'],
  [['--help', '--list'], 'help'],
])('%j', (argv, kind) => {
  expect(parseAttackArguments(argv)).toEqual({ kind });
});

test.each([
  [['--scenario', 'rain'], 'There is no attack rain; --list names them.'],
  [['--seed', 'x'], '--seed x: must be a whole number from 0 to 4294967295.'],
  [['--seconds', '0'], '--seconds 0: must be a whole number from 1 to 86400.'],
  [['--rain'], '--rain'],
])('%j is refused', (argv, message) => {
  expect(() => parseAttackArguments(argv)).toThrow(message);
});

test('every attack has a unique name, a title and a claim', () => {
  expect(new Set(ATTACKS.map(({ name }) => name)).size).toBe(ATTACKS.length);
  for (const { title, claim } of ATTACKS) expect([title, claim]).not.toContain('');
});
