/**
 * A bare Node server that reads a produce request and responds: the upstream behind every proxy, and the ceiling of a proxy
 * in Node for each protocol. Arguments: port, protocol, and for TLS the files of certificate, key and clients' authority.
 */
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttp2Server, createSecureServer } from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import process from 'node:process';
import type { Duplex } from 'node:stream';

const [, , port, protocol, certFile = '', keyFile = '', clientCaFile] = process.argv;
const ANSWER = Buffer.from('{"offsets":[{"partition":0,"offset":123456}]}');
const HEADERS = ['content-type', 'application/vnd.kafka.v2+json', 'content-length', String(ANSWER.length)];
const HTTP2_HEADERS = {
  ':status': 200,
  'content-type': 'application/vnd.kafka.v2+json',
  'content-length': ANSWER.length,
};

function respond(request: IncomingMessage, response: ServerResponse): void {
  request.resume();
  request.on('end', () => {
    response.writeHead(200, HEADERS);
    response.end(ANSWER);
  });
}

function respondOnStream(stream: Duplex & { respond(headers: typeof HTTP2_HEADERS): void }): void {
  stream.on('error', () => {});
  stream.resume();
  stream.on('end', () => {
    stream.respond(HTTP2_HEADERS);
    stream.end(ANSWER);
  });
}

function createOf(wanted: string | undefined) {
  const certificate = () => ({ cert: readFileSync(certFile), key: readFileSync(keyFile) });
  switch (wanted) {
    case 'http1':
      return createServer(respond);
    case 'tls':
      return createHttpsServer(certificate(), respond);
    case 'mutual-tls':
      return createHttpsServer(
        { ...certificate(), ca: readFileSync(String(clientCaFile)), requestCert: true },
        respond,
      );
    case 'h2c':
      return createHttp2Server().on('stream', respondOnStream);
    case 'h2':
      return createSecureServer(certificate()).on('stream', respondOnStream);
    default:
      throw new RangeError(`unknown protocol ${wanted}`);
  }
}

createOf(protocol).listen(Number(port), '127.0.0.1');
