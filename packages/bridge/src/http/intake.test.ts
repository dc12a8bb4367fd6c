import { connect } from 'node:net';
import { describe, expect, inject, test } from 'vitest';
import { bridgeOfFile, TestBridge } from '../../../../test/harness/bridge.ts';
import { HOST, raw } from '../../../../test/harness/raw.ts';
import { PROOF } from '../../../../test/harness/trust.ts';
import { until } from '../../../../test/harness/until.ts';

const END = `connection: close\r\n\r\n`;
const JSON_TYPE = 'content-type: application/json\r\n';
const V2_TYPE = 'content-type: application/vnd.kafka.v2+json\r\n';

const limits = { headersTimeoutMs: 300, requestTimeoutMs: 600, maxBodyBytes: 1024 };
const bridge = await bridgeOfFile({ limits });
/** Without a Kafka, for which requests wait longer than the next one may take. */
const alone = await bridgeOfFile({ limits, kafka: { requestTimeoutMs: 3000 } }, '127.0.0.1:1');

function send(request: string): Promise<string> {
  return raw(bridge.bridge.port, request);
}

/** Status line, headers without those of the connection, and body. */
function parsed(answer: string): { status: string; headers: string[]; body: string } {
  const [head = '', body = ''] = answer.split('\r\n\r\n');
  const [status = '', ...headers] = head.split('\r\n');
  return { status, headers: headers.filter((line) => !/^(?:connection|keep-alive):/i.test(line)), body };
}

describe('a request that is too long or invalid is refused with its status and a reason', () => {
  test.each([
    ['a URL of 5 kB', `GET /topics/${'a'.repeat(5000)} HTTP/1.1\r\n${HOST}${END}`, '414 URI Too Long'],
    ['a URL of 30 kB', `GET /topics/${'a'.repeat(30_000)} HTTP/1.1\r\n${HOST}${END}`, '414 URI Too Long'],
    [
      'headers of 17 kB',
      `GET / HTTP/1.1\r\n${HOST}x: ${'a'.repeat(17_000)}\r\n${END}`,
      '431 Request Header Fields Too Large',
    ],
    [
      'headers of 30 kB',
      `GET / HTTP/1.1\r\n${HOST}x: ${'a'.repeat(30_000)}\r\n${END}`,
      '431 Request Header Fields Too Large',
    ],
    // More than the parser takes, with all that gateways add.
    [
      'headers of 60 kB',
      `GET / HTTP/1.1\r\n${HOST}x: ${'a'.repeat(60_000)}\r\n\r\n`,
      '431 Request Header Fields Too Large',
    ],
    ['no request line', 'HELLO\r\n\r\n', '400 Bad Request'],
    ['another protocol', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', '505 HTTP Version Not Supported'],
    ['a tunnel', `CONNECT h:1 HTTP/1.1\r\n${HOST}\r\n`, '501 Not Implemented'],
    ['a blank in a header name', `GET / HTTP/1.1\r\n${HOST}x y: z\r\n\r\n`, '400 Bad Request'],
    [
      'two lengths',
      `POST /consumers/g HTTP/1.1\r\n${HOST}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
      '400 Bad Request',
    ],
    [
      'a bad chunk',
      `POST /consumers/g HTTP/1.1\r\n${HOST}${JSON_TYPE}transfer-encoding: chunked\r\n\r\nzz\r\n`,
      '400 Bad Request',
    ],
  ])('%s', async (_, request, status) => {
    const answer = parsed(await send(request));
    expect(answer.status).toBe(`HTTP/1.1 ${status}`);
    expect(answer.headers).toContain(V2_TYPE.trim());
    expect(JSON.parse(answer.body)).toEqual({
      error_code: Number(status.slice(0, 3)),
      message: expect.stringMatching(/^The .+\.$/),
    });
  });

  test('and is counted', async () => {
    const count = async (): Promise<number> => {
      const { text } = await bridge.get('/metrics');
      return Number(/^causeway_bridge_requests_total\{operation="unknown",outcome="4xx"\} (\d+)/m.exec(text)?.[1]);
    };
    const before = await count();
    await send('HELLO\r\n\r\n');
    await send(`GET /${'a'.repeat(5000)} HTTP/1.1\r\n${HOST}${END}`);
    await until('both are counted', async () => (await count()) === before + 2);
  });
});

test('a refusal is marked as the fault of the request for gateways, and not for clients', async () => {
  const coding = `transfer-encoding: gzip, chunked\r\n${END}`;
  const gateway = Object.entries({ 'causeway-gateway': 'tier1', ...PROOF }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  const ofClient = parsed(await send(`POST /topics/t HTTP/1.1\r\n${HOST}${coding}`));
  const ofGateway = parsed(await send(`POST /topics/t HTTP/1.1\r\n${HOST}${gateway.join('')}${coding}`));
  expect([ofClient.status, ofGateway.status]).toEqual(Array(2).fill('HTTP/1.1 501 Not Implemented'));
  expect(ofGateway.headers).toContain('causeway-fault: request');
  expect(ofClient.headers).not.toContain('causeway-fault: request');
});

describe('a request that arrives too slowly is refused with 408', () => {
  const TOO_SLOW = '{"error_code":408,"message":"The request did not arrive completely in time; send it again."}';

  test.each([
    ['the whole request', ''],
    ['its headers', 'GET / HTTP/1.1\r\nhost: '],
    ['its body', `POST /consumers/g HTTP/1.1\r\n${HOST}${JSON_TYPE}content-length: 20\r\n\r\n{`],
  ])('%s', async (_, request) => {
    const answer = await send(request);
    expect(answer).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n/);
    expect(parsed(answer).body).toBe(TOO_SLOW);
  });

  test('and not in place of the response that is due before it', async () => {
    const answers = raw(
      alone.bridge.port,
      `POST /admin/topics HTTP/1.1\r\n${HOST}${JSON_TYPE}content-length: 18\r\n\r\n{"topic_name":"t"}GET / HTTP/1.1\r\nhost: `,
    );
    // The first one waits for a Kafka that is not there.
    expect(await answers).toMatch(/^HTTP\/1\.1 503 .*HTTP\/1\.1 408 Request Timeout\r\n/s);
  });

  test('and a slow response has its time', async () => {
    const consumer = await bridge.consumer('patient', 'c', ['t']);
    const startMs = performance.now();
    const answer = await consumer.poll('timeout=1500');
    expect(answer).toMatchObject({ status: 200, text: '[]' });
    expect(performance.now() - startMs).toBeGreaterThan(1400);
  });
});

describe('a body beyond the limit is refused with the limit', () => {
  const TOO_LARGE = '{"error_code":413,"message":"The request body is larger than the limit of 1024 bytes"}';
  const chunk = `400\r\n${'a'.repeat(0x400)}\r\n`;

  test.each([
    ['by its length, and the connection stays open', `content-length: 2000\r\n\r\n${'a'.repeat(2000)}`],
    ['by the bytes that arrived', `transfer-encoding: chunked\r\n\r\n${chunk}${chunk}0\r\n\r\n`],
  ])('%s', async (_, rest) => {
    const answer = await send(
      `POST /consumers/g HTTP/1.1\r\n${HOST}${JSON_TYPE}${rest}GET /healthy HTTP/1.1\r\n${HOST}${END}`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toContain(`${TOO_LARGE}HTTP/1.1 200 OK`);
  });

  test('before it is sent, if the client expects 100 Continue', async () => {
    const answer = await send(
      `POST /consumers/g HTTP/1.1\r\n${HOST}expect: 100-continue\r\ncontent-length: 2000\r\n${END}`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  });
});

describe('requests are read as HTTP allows', () => {
  test('HTTP/1.1 needs a host', async () => {
    const answer = await send(`GET /healthy HTTP/1.1\r\n${END}`);
    expect(parsed(answer)).toEqual({
      status: 'HTTP/1.1 400 Bad Request',
      headers: ['content-type: application/vnd.kafka.v2+json', 'content-length: 85'],
      body: '{"error_code":400,"message":"The request has no Host header; HTTP/1.1 requires one."}',
    });
  });

  test('HTTP/1.0 does not, and base_uri then has the address that the client reached', async () => {
    expect(await send('GET /healthy HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 OK/);
    expect(await send('POST /consumers/g HTTP/1.0\r\ncontent-length: 0\r\n\r\n')).toContain(
      `"base_uri":"http://127.0.0.1:${bridge.bridge.port}/consumers/g/instances/`,
    );
  });

  test.each([
    ['chunked', 'transfer-encoding: chunked\r\n', '2\r\n{}\r\n0\r\n\r\n'],
    ['with a length', 'content-length: 2\r\n', '{}'],
    ['with an unknown expectation', 'content-length: 2\r\nexpect: miracles\r\n', '{}'],
    ['without a body, whatever its type', 'content-length: 0\r\ncontent-type: ???\r\n', ''],
  ])('a body %s', async (_, headers, body) => {
    const answer = await send(`POST /consumers/g HTTP/1.1\r\n${HOST}${JSON_TYPE}${headers}${END}${body}`);
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  });

  test('a client that expects 100 Continue gets it', async () => {
    const answer = await new Promise<string>((resolve, reject) => {
      let text = '';
      const socket = connect(bridge.bridge.port, '127.0.0.1').setEncoding('utf8');
      socket.write(
        `POST /consumers/g HTTP/1.1\r\n${HOST}${JSON_TYPE}expect: 100-continue\r\ncontent-length: 2\r\n${END}`,
      );
      socket.on('data', (chunk) => {
        if (text === '') socket.write('{}');
        text += chunk;
      });
      socket.on('close', () => resolve(text));
      socket.on('error', reject);
    });
    expect(answer).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
  });

  test('a type and a body are ignored where the operation has none', async () => {
    const answer = await send(
      `DELETE /consumers/g/instances/unknown HTTP/1.1\r\n${HOST}content-type: ???\r\ncontent-length: 2\r\n${END}{}`,
    );
    expect(parsed(answer).body).toBe('{"error_code":404,"message":"The specified consumer instance was not found."}');
  });
});

test('the bridge listens on each address of a name, and does not start on a port that is taken', async () => {
  const named = await TestBridge.start(inject('kafkaBootstrap'), { listen: { host: 'localhost', port: 0 } });
  try {
    const { port } = named.bridge;
    expect(await raw(port, `GET /healthy HTTP/1.1\r\n${HOST}${END}`)).toMatch(/^HTTP\/1\.1 200 OK/);
    expect((await named.get('/healthy')).status).toBe(200);
    await expect(TestBridge.start(inject('kafkaBootstrap'), { listen: { port } })).rejects.toThrow(/EADDRINUSE/);
    await expect(TestBridge.start(inject('kafkaBootstrap'), { management: { port } })).rejects.toThrow(/EADDRINUSE/);
  } finally {
    await named.close();
  }
});

describe('responses have the headers that they need, and no others', () => {
  test.each([
    ['an empty 200', 'GET /healthy', ['content-length: 0'], ''],
    ['JSON', 'GET /', ['content-type: application/json', 'content-length: 26'], /^\{"bridge_version":"[\d.]+"\}$/],
    ['a 405', 'PUT /topics/t', [V2_TYPE.trim(), 'allow: GET,HEAD,POST', 'content-length: 100'], /^\{"error_code":405,/],
    ['a 405 of HEAD', 'HEAD /consumers/g', [V2_TYPE.trim(), 'allow: POST', 'content-length: 92'], /^$/],
    [
      'an error',
      'GET /nothing',
      [V2_TYPE.trim(), 'content-length: 40'],
      /^\{"error_code":404,"message":"Not Found"\}$/,
    ],
  ])('%s', async (_, request, headers, body) => {
    const answer = parsed(await send(`${request} HTTP/1.1\r\n${HOST}${END}`));
    expect(answer.headers).toEqual(headers);
    expect(answer.body).toMatch(body);
  });

  test('an empty 204', async () => {
    const { path } = await bridge.consumer('g', 'empty', []);
    const answer = parsed(await send(`DELETE ${path} HTTP/1.1\r\n${HOST}${END}`));
    expect(answer).toEqual({ status: 'HTTP/1.1 204 No Content', headers: [], body: '' });
  });
});

const apart = await bridgeOfFile({ management: { port: 0 } });

describe('with a management port', () => {
  test.each([
    ['port', 'GET /', 200],
    ['port', 'GET /openapi', 200],
    ['port', 'GET /healthy', 503],
    ['port', 'GET /ready', 503],
    ['port', 'GET /metrics', 503],
    ['port', 'GET /nothing', 404],
    ['managementPort', 'GET /healthy', 200],
    ['managementPort', 'GET /metrics', 200],
    ['managementPort', 'GET /', 503],
    ['managementPort', 'POST /consumers/g', 503],
    ['managementPort', 'PUT /topics/t', 503],
    ['managementPort', 'PUT /healthy', 405],
    ['managementPort', 'GET /nothing', 404],
  ] as const)('on the %s %s is %i', async (port, request, status) => {
    const answer = parsed(await raw(apart.bridge[port], `${request} HTTP/1.1\r\n${HOST}${END}`));
    expect(answer.status).toContain(` ${status} `);
    if (status === 503) expect(answer).toMatchObject({ headers: ['content-length: 0'], body: '' });
  });
});
