/** A bare node:http server that parses the body of a produce request and responds: the ceiling of any bridge. */
import { createServer } from 'node:http';
import process from 'node:process';

createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const { records } = JSON.parse(Buffer.concat(chunks).toString()) as { records: unknown[] };
    const answer = JSON.stringify({ offsets: records.map((_, index) => ({ partition: 0, offset: 123_456 + index })) });
    response.writeHead(200, {
      'content-type': 'application/vnd.kafka.v2+json',
      'content-length': Buffer.byteLength(answer),
    });
    response.end(answer);
  });
}).listen(Number(process.argv[2]), '127.0.0.1');
