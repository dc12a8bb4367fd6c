import { createServer } from 'node:net';
import { ConnectionPool } from '@platformatic/kafka';
import { expect, onTestFinished, test } from 'vitest';
import { BridgeError } from '../../errors.ts';
import { toBridgeError } from './failure.ts';
import { publicReasonOf, reasonOf } from './failure-reason.ts';

async function failedConnection(broker: { host: string; port: number }, options = {}): Promise<unknown> {
  const pool = new ConnectionPool('test', { connectTimeout: 10_000, ...options });
  onTestFinished(() => pool.close().catch(() => {}));
  return await pool.get(broker).then(
    () => expect.fail('the connection was made'),
    (error: unknown) => error,
  );
}

/** A port that is free: its server is closed again. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

test('clients learn that a broker refuses connections, and only operators which one', async () => {
  const port = await closedPort();
  const error = await failedConnection({ host: '127.0.0.1', port });
  expect(toBridgeError(error).message).toBe('Kafka cannot be reached: connection refused');
  expect(reasonOf(toBridgeError(error))).toContain(`127.0.0.1:${port}`);
});

test('clients do not learn why the certificate of a broker is rejected', async () => {
  const server = createServer((socket) => socket.end('no TLS\n'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as { port: number };
  const error = await failedConnection({ host: '127.0.0.1', port }, { tls: {} });
  expect(toBridgeError(error).message).toBe('Kafka cannot be reached: the TLS handshake failed');
  expect(reasonOf(error)).toContain(`${port}`);
});

test.each([
  ['EMFILE', 'the bridge has too many open files'],
  ['ENOTFOUND', 'the names of the brokers cannot be resolved'],
  ['CERT_HAS_EXPIRED', 'the TLS handshake failed'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'the TLS handshake failed'],
  ['EUNHEARDOF', undefined],
])('%s, within other errors: %s', (code, reason) => {
  const inner = Object.assign(new Error(`connect ${code} kafka-1.internal:9092`), { code });
  const error = new AggregateError([new Error('attempt', { cause: inner })], 'all of kafka-1.internal failed');
  expect(publicReasonOf(error)).toBe(reason);
  expect(toBridgeError(error).message).not.toContain('kafka-1');
  expect(reasonOf(error)).toContain('kafka-1.internal:9092');
});

test('each text stands once, and an error without a text is known by its code', () => {
  const refused = Object.assign(new Error(''), { code: 'ECONNREFUSED' });
  expect(reasonOf(new Error('no connection', { cause: new Error('no connection.', { cause: refused }) }))).toBe(
    'no connection: ECONNREFUSED',
  );
});

test('an error of the bridge keeps its text', () => {
  const error = new BridgeError('kafkaUnavailable', { message: 'Partition t-0 has no leader' });
  expect(reasonOf(error)).toBe('Partition t-0 has no leader');
  expect(toBridgeError(error)).toBe(error);
  const expired = new BridgeError('kafkaUnavailable', { message: 'no response', cause: new Error('timer') });
  expect(reasonOf(expired)).toBe('timer');
  expect(reasonOf(new BridgeError('kafkaRefused', { message: 'why', cause: new Error('cause') }))).toBe('why: cause');
});
