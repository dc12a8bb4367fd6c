/** Serves the topology page: its TypeScript without types, its styles, and its libraries. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire, stripTypeScriptTypes } from 'node:module';
import { dirname, extname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

interface PageFile {
  contentType: string;
  /** As browsers get it, made for the first of them: removing types takes a tenth of a start. */
  content: () => PageContent;
}

interface PageContent {
  text: string;
  etag: string;
}

const DIRECTORY = dirname(fileURLToPath(import.meta.resolve('@causeway/page/index.html')));

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.ts': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.html': 'text/html; charset=utf-8',
};

/** Libraries that the page imports by name, and their addresses for browsers. */
const LIBRARIES: Readonly<Record<string, string>> = {
  preact: '/page/preact.mjs',
  'preact/hooks': '/page/preact-hooks.mjs',
  uplot: '/page/uplot.js',
  'eventsource-parser': '/page/eventsource-parser.js',
};

/**
 * Allows nothing from other origins, nothing inline, and no text that becomes markup: names on the page come from clients.
 * https://www.w3.org/TR/CSP3/, https://www.w3.org/TR/trusted-types/
 */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

/** Adds `GET /` and `GET /page/…`. They contain no data and need no token. */
export function addPage(app: FastifyInstance): void {
  const files = readPage();
  app.get('/', { config: { isPublic: true } }, (request, reply) => sendFile(files.get('index.html'), request, reply));
  app.get<{ Params: { name: string } }>('/page/:name', { config: { isPublic: true } }, (request, reply) =>
    sendFile(files.get(request.params.name), request, reply),
  );
}

function sendFile(file: PageFile | undefined, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (file === undefined) {
    reply.callNotFound();
    return reply;
  }
  const { text, etag } = file.content();
  void reply.headers({
    'content-security-policy': CONTENT_SECURITY_POLICY,
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    // Browsers revalidate each time, and get 304 until the gateway changes.
    'cache-control': 'no-cache',
    etag,
  });
  if (request.headers['if-none-match'] === etag) return reply.code(304).send();
  return reply.type(file.contentType).send(text);
}

/** Reads all files once, by their names below /page/. */
export function readPage(): Map<string, PageFile> {
  const files = new Map<string, PageFile>();
  const add = (name: string, source: string, translate: (source: string) => string = (text) => text): void => {
    let content: PageContent | undefined;
    files.set(name, {
      contentType: CONTENT_TYPES[extname(name)] ?? 'application/octet-stream',
      content: () => {
        content ??= withEtag(translate(source));
        return content;
      },
    });
  };
  for (const name of readdirSync(DIRECTORY)) {
    if (!(extname(name) in CONTENT_TYPES) || name.endsWith('.test.ts')) continue;
    const source = readFileSync(join(DIRECTORY, name), 'utf8');
    if (name.endsWith('.ts')) add(name, source, (code) => withAddresses(stripTypes(code)));
    else add(name, source);
  }
  const { resolve } = createRequire(join(DIRECTORY, 'index.html'));
  const uplot = dirname(resolve('uplot'));
  add('preact.mjs', readFileSync(resolve('preact'), 'utf8'));
  add('preact-hooks.mjs', withAddresses(readFileSync(resolve('preact/hooks'), 'utf8')));
  add('uplot.js', readFileSync(join(uplot, 'uPlot.esm.js'), 'utf8'));
  add('uplot.css', readFileSync(join(uplot, 'uPlot.min.css'), 'utf8'));
  for (const [name, text] of modulesOf('eventsource-parser', resolve('eventsource-parser'))) add(name, text);
  return files;
}

function withEtag(text: string): PageContent {
  return { text, etag: `"${createHash('sha256').update(text).digest('base64url')}"` };
}

/** Names the modules of a library: the entry is `library.js`, its imports are `library-module.js`. */
function modulesOf(library: string, entry: string): Map<string, string> {
  const modules = new Map<string, string>();
  const read = (name: string, path: string): void => {
    const code = readFileSync(path, 'utf8');
    modules.set(
      name,
      code.replace(/\bfrom '\.\/([\w-]+\.js)'/g, (_, module: string) => {
        const served = `${library}-${module}`;
        if (!modules.has(served)) read(served, join(dirname(path), module));
        return `from './${served}'`;
      }),
    );
  };
  read(`${library}.js`, entry);
  return modules;
}

/** Replaces package names in imports by addresses, because browsers know no packages. */
function withAddresses(code: string): string {
  return code.replace(/\bfrom\s*(['"])([^'"./][^'"]*)\1/g, (found, quote: string, name: string) => {
    const address = LIBRARIES[name];
    return address === undefined ? found : `from ${quote}${address}${quote}`;
  });
}

/** Silences a warning that this function may change: the version of Node is pinned. */
function stripTypes(code: string): string {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return stripTypeScriptTypes(code);
  } finally {
    process.emitWarning = emitWarning;
  }
}
