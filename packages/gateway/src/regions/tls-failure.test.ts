import { createServer as createTcpServer } from 'node:net';
import { connect } from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Listening, listen } from '../../../../test/harness/transport.ts';
import { describeTlsFailure, explainTlsFailure, isRefusalOfCertificate } from './tls-failure.ts';

/** A fatal alert without encryption, which a server may send in place of its first message (RFC 8446 §5.1 and §6). */
const alert = (description: number): Buffer => Buffer.from([21, 3, 3, 0, 2, 2, description]);

/** Closes each connection with these bytes as soon as the handshake begins. */
async function answering(bytes: Buffer): Promise<Listening> {
  return await listen(createTcpServer((socket) => socket.once('data', () => socket.end(bytes))));
}

async function failureAt({ url }: Listening): Promise<NodeJS.ErrnoException> {
  const { promise, resolve } = Promise.withResolvers<NodeJS.ErrnoException>();
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(url).port) });
  onTestFinished(() => void socket.destroy());
  socket.once('error', resolve);
  return await promise;
}

describe('an alert of the target has a text, whatever this version of OpenSSL calls it', () => {
  test.each([
    [40, /refuses the TLS handshake: no cipher in common, or it demands a certificate/, false],
    [42, /^it refuses the gateway's certificate$/, true],
    [43, /^it refuses the gateway's certificate$/, true],
    [44, /^it refuses the gateway's certificate as revoked$/, true],
    [45, /^it refuses the gateway's certificate as expired$/, true],
    [46, /^it refuses the gateway's certificate$/, true],
    [48, /^it does not know the authority of the gateway's certificate$/, true],
    [49, /^it refuses the gateway's certificate$/, true],
    [51, /^it refuses the gateway's certificate$/, true],
    [70, /^it has no version of TLS in common with the gateway$/, false],
    [80, /^TLS failed \(tlsv1_alert_internal_error\)$/, false],
    [112, /^it has no certificate for the name$/, false],
    [116, /^it demands a certificate of the gateway$/, true],
    [120, /^it does not speak HTTP\/1\.1$/, false],
  ])('alert %i', async (description, text, isRefusal) => {
    const failure = await failureAt(await answering(alert(description)));
    expect(describeTlsFailure(failure)).toMatch(text);
    expect(explainTlsFailure(failure)).toBe(describeTlsFailure(failure));
    expect(isRefusalOfCertificate(failure)).toBe(isRefusal);
  });
});

describe('a target that does not speak TLS', () => {
  test.each([
    ['HTTP', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
    ['HTTP/1.0 of nginx', '<html>400 The plain HTTP request was sent to HTTPS port</html>'],
    ['SSH', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['zeros', '\0\0\0\0\0\0\0\0'],
  ])('%s', async (_, text) => {
    const failure = await failureAt(await answering(Buffer.from(text)));
    expect(describeTlsFailure(failure)).toBe('it does not speak TLS on this port');
  });
});

test('names of a certificate are for operators, and few of many', () => {
  const names = Array.from({ length: 300 }, (_, index) => `DNS:host-${index}.example`).join(', ');
  const failure = (subjectaltname: string | undefined): Error =>
    Object.assign(new Error(`Hostname does not match: bridge.internal`), {
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
      host: 'bridge.internal',
      cert: { subjectaltname },
    });
  expect(describeTlsFailure(failure(names))).toBe('its certificate is for another host');
  expect(explainTlsFailure(failure(names))).toBe(
    'its certificate is for host-0.example, host-1.example, host-2.example, host-3.example, host-4.example and 295 more, not for bridge.internal',
  );
  expect(explainTlsFailure(failure('IP Address:10.0.0.1, URI:spiffe://a/b'))).toBe(
    'its certificate is for 10.0.0.1, spiffe://a/b, not for bridge.internal',
  );
  expect(explainTlsFailure(failure(undefined))).toBe('its certificate is for no host, not for bridge.internal');
});

test('what is not of TLS has no text of TLS', () => {
  expect(describeTlsFailure(Object.assign(new Error(), { code: 'ECONNREFUSED' }))).toBeUndefined();
  expect(describeTlsFailure(Object.assign(new Error(), { code: 'constructor' }))).toBeUndefined();
});
