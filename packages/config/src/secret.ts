/** Secrets that stand in the configuration or in a file of their own. */
import { readFileSync } from 'node:fs';

/** Where a secret is: its value, or the file that has it. */
export interface SecretSource {
  value: string | undefined;
  file: string | undefined;
}

/**
 * Reads it anew, so that a file may be replaced; line ends after it do not belong to it. `undefined` when it is nowhere.
 * Errors: `Error` with the file and the reason, never with what the file holds.
 */
export function readSecret({ value, file }: SecretSource): string | undefined {
  if (file === undefined) return value;
  const secret = readText(file).replace(/[\r\n]+$/, '');
  if (secret === '') throw new Error(`${file} is empty`);
  return secret;
}

/** Errors: `Error` with the file and the reason. */
export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new Error(`${file} cannot be read: ${code === undefined ? message : describe(code)}`, { cause });
  }
}

function describe(code: string): string {
  switch (code) {
    case 'ENOENT':
      return 'there is no such file';
    case 'EACCES':
      return 'permission denied';
    case 'EISDIR':
      return 'it is a directory';
    default:
      return code;
  }
}
