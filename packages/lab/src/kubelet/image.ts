/** What the image's entrypoint is on this machine: the same script, with the programs of this repository. */
import { fileURLToPath } from 'node:url';
import type { Container } from './objects.ts';

const ENTRYPOINT = fileURLToPath(new URL('../../../../bin/causeway', import.meta.url));

/** `pathOf` says where a path of the container is on this machine. */
export function commandOf({ args }: Container, pathOf: (path: string) => string): { command: string; args: string[] } {
  return {
    command: ENTRYPOINT,
    args: args.map((argument) => (argument.startsWith('/') ? pathOf(argument) : argument)),
  };
}
