/** What a build of the Dockerfile sees, without an engine. */
import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join, matchesGlob, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Paths that the first stage copies from the context, in order. */
export function copiedPaths(): string[] {
  const [stage = ''] = readFileSync(join(ROOT, 'Dockerfile'), 'utf8')
    .split(/^FROM /m)
    .slice(1);
  return [...stage.matchAll(/^COPY (.+) \S+$/gm)].flatMap(([, paths = '']) => paths.split(' '));
}

/** Copies them to a directory, without what `.dockerignore` leaves out. */
export function copyContext(directory: string): void {
  const lines = readFileSync(join(ROOT, '.dockerignore'), 'utf8')
    .split('\n')
    .filter((line) => /^[^#]/.test(line));
  const sent = lines.filter((line) => line.startsWith('!')).map((line) => line.slice(1));
  const left = lines.filter((line) => !line.startsWith('!') && line !== '*');
  const isSent = (path: string): boolean =>
    sent.some((pattern) => path === pattern || path.startsWith(`${pattern}/`) || pattern.startsWith(`${path}/`)) &&
    !left.some((pattern) => matchesGlob(path, pattern));
  for (const path of copiedPaths()) {
    const target = join(directory, path);
    mkdirSync(dirname(target), { recursive: true });
    cpSync(join(ROOT, path), target, { recursive: true, filter: (source) => isSent(relative(ROOT, source)) });
  }
}
