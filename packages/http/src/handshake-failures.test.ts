import { expect, test } from 'vitest';
import { HandshakeFailures, type HandshakeReport } from './handshake-failures.ts';

const error = (code: string) => ({ error: { code, message: code } });

test('each kind is reported at most once a minute, with its number; every failure is counted', () => {
  const reports: HandshakeReport[] = [];
  let nowMs = 0;
  const failures = new HandshakeFailures(
    (report) => reports.push(report),
    () => nowMs,
  );
  const expired = { ...error('ECONNRESET'), authorizationError: 'CERT_HAS_EXPIRED' };
  for (let index = 0; index < 3; index += 1) failures.count(expired, '::ffff:10.0.0.1');
  failures.count(error('ERR_SSL_UNSUPPORTED_PROTOCOL'), '10.0.0.2');
  nowMs = 59_999;
  failures.count(expired, '10.0.0.3');
  nowMs = 60_000;
  failures.count(expired, '10.0.0.4');
  expect(reports).toEqual([
    {
      failure: 'expiredCertificate',
      reason: 'its certificate has expired (CERT_HAS_EXPIRED)',
      address: '10.0.0.1',
      failureCount: 1,
    },
    {
      failure: 'protocolVersion',
      reason: 'there is no shared version of TLS (ERR_SSL_UNSUPPORTED_PROTOCOL)',
      address: '10.0.0.2',
      failureCount: 1,
    },
    {
      failure: 'expiredCertificate',
      reason: 'its certificate has expired (CERT_HAS_EXPIRED)',
      address: '10.0.0.4',
      failureCount: 4,
    },
  ]);
  expect(failures.counts).toMatchObject({ expiredCertificate: 5, protocolVersion: 1, closed: 0 });
});

test('connections that only open and close, as those of a load balancer, are counted and not reported', () => {
  const reports: HandshakeReport[] = [];
  const failures = new HandshakeFailures((report) => reports.push(report));
  failures.count(error('ECONNRESET'), '10.0.0.1');
  expect(failures.counts.closed).toBe(1);
  expect(reports).toEqual([]);
});
