/** A bare node:http server that reads a produce request and responds: the upstream behind every proxy. */
import { createServer } from 'node:http';
import process from 'node:process';

const ANSWER = Buffer.from('{"offsets":[{"partition":0,"offset":123456}]}');
const HEADERS = ['content-type', 'application/vnd.kafka.v2+json', 'content-length', String(ANSWER.length)];

createServer((request, response) => {
  request.resume();
  request.on('end', () => {
    response.writeHead(200, HEADERS);
    response.end(ANSWER);
  });
}).listen(Number(process.argv[2]), '127.0.0.1');
