import { describe, expect, test } from 'vitest';
import { UpstreamError } from '../upstream/errors.ts';
import { describeConnectionFailure, isGatewaysOwn } from './connection-failure.ts';

/** Errors as the system, TLS and undici create them: the messages contain host and port. */
const withCode = (code: string, more: object = { syscall: 'connect' }): Error =>
  Object.assign(new Error(`connect ${code} 10.1.2.3:8282 - Local (10.9.9.9:4711), host bridge.internal`), {
    code,
    ...more,
  });

describe('the description of a failure', () => {
  test.each([
    ['ECONNREFUSED', 'connection refused', false],
    ['ECONNRESET', 'connection closed', false],
    ['EPIPE', 'connection closed', false],
    ['ETIMEDOUT', 'no connection in time', false],
    ['EHOSTUNREACH', 'host unreachable', false],
    ['ENETUNREACH', 'host unreachable', false],
    ['ENOTFOUND', 'host name not found', false],
    ['EAI_AGAIN', 'host name not found', false],
    ['EMFILE', 'the gateway has no file descriptor left', true],
    ['ENFILE', 'the gateway has no file descriptor left', true],
    ['EADDRNOTAVAIL', 'the gateway has no local port left', true],
    ['ENOBUFS', 'the gateway has no memory for connections left', true],
    ['EACCES', 'connection failed (EACCES)', false],
    ['EPROTO', 'connection failed (EPROTO)', false],
  ])('%s', (code, text, isOwn) => {
    expect(describeConnectionFailure(withCode(code))).toBe(text);
    expect(isGatewaysOwn(withCode(code))).toBe(isOwn);
  });

  test.each([
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'its certificate is for another host'],
    ['CERT_HAS_EXPIRED', 'its certificate has expired'],
    ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', "it does not know the authority of the gateway's certificate"],
    ['ERR_SSL_DIGEST_CHECK_FAILED', 'TLS failed (digest_check_failed)'],
    ['UND_ERR_CONNECT_TIMEOUT', 'no connection in time'],
    ['UND_ERR_HEADERS_OVERFLOW', 'connection failed (UND_ERR_HEADERS_OVERFLOW)'],
  ])('%s of TLS or a client', (code, text) => {
    expect(describeConnectionFailure(withCode(code, {}))).toBe(text);
  });

  test('for a host with several addresses, one lack of the gateway makes it the fault of the gateway', () => {
    const error = Object.assign(new AggregateError([withCode('ECONNREFUSED'), withCode('EMFILE')]), {
      code: 'ECONNREFUSED',
    });
    expect(isGatewaysOwn(error)).toBe(true);
  });

  test('an error of the upstream client keeps its message', () => {
    const error = new UpstreamError('BAD_RESPONSE', 'the response is not HTTP/1.1: it does not start with HTTP/1');
    expect(describeConnectionFailure(error)).toBe('the response is not HTTP/1.1: it does not start with HTTP/1');
  });
});
