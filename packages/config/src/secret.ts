/** Secrets that stand in the configuration or in a file of their own. */
import { readRegularFile } from './file.ts';

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
  return readRegularFile(file).toString();
}
