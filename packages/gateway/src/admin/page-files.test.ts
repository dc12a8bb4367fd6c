import Fastify, { type FastifyInstance } from 'fastify';
import { request } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { addPage } from './page-files.ts';

let app: FastifyInstance;
let url: string;
beforeAll(async () => {
  app = Fastify({ forceCloseConnections: true });
  addPage(app);
  url = await app.listen({ host: '127.0.0.1', port: 0 });
});
afterAll(() => app?.close());

async function get(path: string, headers: Record<string, string> = {}) {
  const { statusCode, headers: answered, body } = await request(`${url}${path}`, { headers });
  return { statusCode, headers: answered, text: await body.text() };
}

test('every file that the page needs is served, down to the last import, and none from another host', async () => {
  const seen = new Set<string>();
  const open = ['/'];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    const { statusCode, text } = await get(path);
    expect([path, statusCode]).toEqual([path, 200]);
    const named = path === '/' ? [...text.matchAll(/(?:src|href)="([^"]+)"/g)] : importsOf(path, text);
    for (const [, name = ''] of named) {
      expect(name).toMatch(/^(?:\.\/|\/page\/)/);
      open.push(name.replace(/^\.\//, '/page/'));
    }
  }
  expect([...seen]).toEqual(expect.arrayContaining(['/page/main.ts', '/page/preact.mjs', '/page/uplot.js']));
});

function importsOf(path: string, text: string): RegExpMatchArray[] {
  return /\.(?:ts|m?js)$/.test(path) ? [...text.matchAll(/(?:^|[;}])\s*import\b[^'"]*?from\s*["']([^"']+)["']/gm)] : [];
}

test('the content security policy allows nothing inline and nothing from other origins', async () => {
  const { headers, text } = await get('/');
  expect(headers['content-security-policy']).toContain("default-src 'none'; script-src 'self'; style-src 'self'");
  expect(text).not.toMatch(/<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon[a-z]+=/);
});

test('an unchanged file gets 304, and an unknown one 404', async () => {
  const { headers } = await get('/page/main.ts');
  expect(headers['content-type']).toBe('text/javascript; charset=utf-8');
  expect(await get('/page/main.ts', { 'if-none-match': String(headers['etag']) })).toMatchObject({ statusCode: 304 });
  for (const path of ['/page/nothing.ts', '/page/..%2Fapi.ts', '/page/state.test.ts', '/page/tsconfig.json']) {
    expect(await get(path)).toMatchObject({ statusCode: 404 });
  }
});
