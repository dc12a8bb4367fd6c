/** Secrets in the configuration, or in their own files. */
import { readRegularFile } from './file.ts';

/** A secret: its value, or the file that contains it. */
export interface SecretSource {
  value: string | undefined;
  file: string | undefined;
}

/**
 * Reads the secret each time, so that its file may be replaced; trailing line ends are dropped. `undefined` without one.
 * Errors: `Error` with the file and the reason, never with the file's content.
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
