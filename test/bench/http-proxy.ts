/** @fastify/http-proxy as its README shows it: the yardstick. */
import process from 'node:process';
import httpProxy from '@fastify/http-proxy';
import Fastify from 'fastify';

const app = Fastify();
await app.register(httpProxy, { upstream: String(process.argv[3]) });
await app.listen({ port: Number(process.argv[2]), host: '127.0.0.1' });
