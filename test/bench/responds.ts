/** Whether a server of a benchmark responds, in the protocol that it is measured with. */
import { connect } from 'node:http2';
import { Agent, request } from 'undici';
import type { Certificates, Protocol } from './proxies.ts';

export interface Asked {
  protocol: Protocol;
  certificates: Certificates;
  body: string;
  headers: Readonly<Record<string, string>>;
}

/** Whether the response to one request is 200. */
export async function responds(url: string, asked: Asked): Promise<boolean> {
  try {
    const status = asked.protocol === 'h2' || asked.protocol === 'h2c' ? overHttp2 : overHttp1;
    return (await status(url, asked)) === 200;
  } catch {
    return false;
  }
}

async function overHttp1(url: string, { certificates: { authority, client }, body, headers }: Asked): Promise<number> {
  // The upstream of mTLS requires a certificate; others ignore it.
  const dispatcher = new Agent({ connect: { ca: authority.cert, cert: client.cert, key: client.key } });
  try {
    const response = await request(url, { method: 'POST', headers, body, dispatcher });
    await response.body.dump();
    return response.statusCode;
  } finally {
    await dispatcher.close();
  }
}

function overHttp2(url: string, { certificates: { authority }, body }: Asked): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const session = connect(url, { ca: authority.cert });
  session.on('error', reject);
  const stream = session.request({ ':method': 'POST', ':path': new URL(url).pathname });
  stream.on('error', reject);
  stream.on('response', (headers) => resolve(Number(headers[':status'])));
  stream.resume().end(body);
  return promise.finally(() => session.destroy());
}
