import { expect, test } from 'vitest';
import { passwordProblem } from './new-entry.ts';

test.each([
  ['', false],
  ['1234567', false],
  ['12345678', true],
  ['👩‍🚀👩‍🚀👩‍🚀', true],
  ['two\nlines of text', false],
  ['a NUL \0 in it', false],
  ['correct horse battery staple', true],
])('%j: %s', (password, isAccepted) => {
  expect(passwordProblem(password) === undefined).toBe(isAccepted);
});
