import { BlockList } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_PROXY_HEADER_BYTES, readProxyHeader } from './proxy-protocol.ts';

const SIGNATURE = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a];
const REST = Buffer.from('GET / HTTP/1.1\r\n');
const IPV4 = [203, 0, 113, 9, 10, 0, 0, 1, 0xdc, 0x04, 0x01, 0xbb];
const IPV6 = [
  ...[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9],
  ...Array(15).fill(0),
  1,
  0xdc,
  0x04,
  0x01,
  0xbb,
];

/** Of the header with IPV4 and this extension alone: computed with the CRC-32C of @platformatic/kafka, whose results Kafka verifies. */
const CHECKSUM = [0x57, 0x13, 0xd3, 0xfc];

/** A header of version 2. */
function binary(command: number, family: number, body: readonly number[], lengthBytes = body.length): Buffer {
  return Buffer.from([...SIGNATURE, command, family, lengthBytes >> 8, lengthBytes & 0xff, ...body]);
}

function extension(type: number, value: readonly number[]): number[] {
  return [type, value.length >> 8, value.length & 0xff, ...value];
}

const COMPLETE: [string, Buffer | string, { address: string; port: number } | undefined][] = [
  // The examples of §2.1.
  [
    'TCP over IPv4',
    'PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n',
    { address: '255.255.255.255', port: 65_535 },
  ],
  [
    'TCP over IPv6, the longest',
    'PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n',
    { address: 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', port: 65_535 },
  ],
  ['an unknown connection, short', 'PROXY UNKNOWN\r\n', undefined],
  [
    'an unknown connection, the longest line',
    'PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n',
    undefined,
  ],
  // The first one of §2.1.
  [
    'the example with a request',
    'PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n',
    { address: '192.168.0.1', port: 56_324 },
  ],
  ['IPv6 in another form', 'PROXY TCP6 2001:DB8:0:0:0:0:0:1 ::1 1 2\r\n', { address: '2001:db8::1', port: 1 }],
  ['port 0', 'PROXY TCP4 1.2.3.4 1.2.3.4 0 0\r\n', { address: '1.2.3.4', port: 0 }],
  ['version 2, TCP over IPv4', binary(0x21, 0x11, IPV4), { address: '203.0.113.9', port: 56_324 }],
  ['version 2, TCP over IPv6', binary(0x21, 0x21, IPV6), { address: '2001:db8::9', port: 56_324 }],
  ['version 2, UDP over IPv4', binary(0x21, 0x12, IPV4), undefined],
  ['version 2, UDP over IPv6', binary(0x21, 0x22, IPV6), undefined],
  ['version 2, UNIX', binary(0x21, 0x31, Array(216).fill(0x61)), undefined],
  ['version 2, UNIX datagrams', binary(0x21, 0x32, Array(216).fill(0x61)), undefined],
  ['version 2, unspecified', binary(0x21, 0x00, []), undefined],
  ['version 2, LOCAL', binary(0x20, 0x00, []), undefined],
  ['version 2, LOCAL with addresses, which are ignored', binary(0x20, 0x11, IPV4), undefined],
  ['version 2, LOCAL with anything', binary(0x20, 0xff, [1, 2, 3]), undefined],
  [
    'extensions',
    binary(0x21, 0x11, [...IPV4, ...extension(0x01, [0x68, 0x32]), ...extension(0x04, [])]),
    { address: '203.0.113.9', port: 56_324 },
  ],
  [
    'the longest extensions',
    binary(0x21, 0x11, [...IPV4, ...extension(0xea, Array(MAX_PROXY_HEADER_BYTES - 16 - 12 - 3).fill(7))]),
    { address: '203.0.113.9', port: 56_324 },
  ],
  [
    'a right checksum',
    binary(0x21, 0x11, [...IPV4, ...extension(0x03, CHECKSUM)]),
    { address: '203.0.113.9', port: 56_324 },
  ],
  [
    'LOCAL with a wrong checksum, which is ignored',
    binary(0x20, 0x11, [...IPV4, ...extension(0x03, [0, 0, 0, 0])]),
    undefined,
  ],
];

describe('a complete header: its source, and where the client begins', () => {
  test.each(COMPLETE)('%s', (_, header, source) => {
    const bytes = Buffer.from(header);
    expect(readProxyHeader(Buffer.concat([bytes, REST]))).toEqual({ state: 'complete', length: bytes.length, source });
    // Every shorter part of it needs more bytes.
    for (let length = 0; length < bytes.length; length += 1) {
      expect(readProxyHeader(bytes.subarray(0, length)), `${length} bytes`).toEqual({ state: 'incomplete' });
    }
  });
});

const INVALID: [string, Buffer | string][] = [
  ['its protocol is not', 'PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n'],
  ['its protocol is not', 'PROXY UNKNOWNX\r\n'],
  ['its protocol is not', 'PROXY \r\n'],
  ['its protocol is not', 'PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n'],
  ['invalid address of TCP4', 'PROXY TCP4 1.2.3.256 1.2.3.4 1 2\r\n'],
  ['invalid address of TCP4', 'PROXY TCP4 01.2.3.4 1.2.3.4 1 2\r\n'],
  ['invalid address of TCP4', 'PROXY TCP4 1.2.3.4 example.com 1 2\r\n'],
  ['invalid address of TCP4', 'PROXY TCP4 ::1 ::1 1 2\r\n'],
  ['invalid address of TCP4', 'PROXY TCP4\r\n'],
  ['invalid address of TCP6', 'PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n'],
  ['invalid address of TCP6', 'PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n'],
  ['invalid port', 'PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n'],
  ['invalid port', 'PROXY TCP4 1.2.3.4 1.2.3.4 1 02\r\n'],
  ['invalid port', 'PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n'],
  ['invalid port', 'PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n'],
  ['more than four values', 'PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n'],
  ['more than four values', 'PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n'],
  ['longer than 107 bytes', `PROXY UNKNOWN ${'x'.repeat(200)}\r\n`],
  ['more than four values', `PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n${REST.toString().repeat(9)}`],
  ['does not begin with', REST],
  ['does not begin with', 'proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n'],
  ['does not begin with', 'PROXYTCP4'],
  ['does not begin with', '\r\n\r\nGET'],
  // TLS without a header.
  ['does not begin with', Buffer.from([0x16, 3, 1, 0, 0xf8])],
  ['version or command', binary(0x11, 0x11, IPV4)],
  ['version or command', binary(0x22, 0x11, IPV4)],
  ['version or command', binary(0x31, 0x11, IPV4)],
  ['family or protocol', binary(0x21, 0x41, IPV4)],
  ['family or protocol', binary(0x21, 0x13, IPV4)],
  ['family or protocol', binary(0x21, 0x10, IPV4)],
  ['shorter than its addresses', binary(0x21, 0x11, IPV4.slice(1))],
  ['shorter than its addresses', binary(0x21, 0x21, IPV4)],
  ['shorter than its addresses', binary(0x21, 0x31, IPV6)],
  ['longer than 4096 bytes', binary(0x21, 0x11, IPV4, 4_081)],
  ['longer than 4096 bytes', binary(0x20, 0x00, [], 65_535)],
  ['extensions are cut off', binary(0x21, 0x11, [...IPV4, 1])],
  ['extensions are cut off', binary(0x21, 0x11, [...IPV4, 1, 0, 2, 7])],
  ['checksum is wrong', binary(0x21, 0x11, [...IPV4, ...extension(0x03, [0x57, 0x13, 0xd3, 0xfd])])],
  ['checksum is wrong', binary(0x21, 0x11, [...IPV4.slice(0, 3), 8, ...IPV4.slice(4), ...extension(0x03, CHECKSUM)])],
  ['another length', binary(0x21, 0x11, [...IPV4, ...extension(0x03, CHECKSUM.slice(1))])],
];

describe('an invalid header, and its reason', () => {
  test.each(INVALID)('%s: %j', (reason, header) => {
    const bytes = Buffer.from(header);
    expect(readProxyHeader(bytes)).toEqual({ state: 'invalid', reason: expect.stringContaining(reason) });
  });

  test('two checksums, of which the first is right: each would take work', () => {
    const first = extension(0x03, [0xf8, 0x17, 0x93, 0x3e]);
    const bytes = binary(0x21, 0x11, [...IPV4, ...first, ...extension(0x03, [0, 0, 0, 0])]);
    expect(readProxyHeader(bytes)).toEqual({ state: 'invalid', reason: 'it has two checksums' });
  });
});

/** Bytes that look like a header, changed in some places, and any others. */
const anyBytes = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc
    .tuple(
      fc.constantFrom(...COMPLETE.map(([, header]) => Buffer.from(header).subarray(0, 400))),
      fc.array(fc.tuple(fc.nat(399), fc.integer({ min: 0, max: 255 })), { maxLength: 3 }),
    )
    .map(([header, changes]) => {
      const bytes = Buffer.from(header);
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      return bytes;
    }),
);

test('any bytes have one result, which later bytes do not change', () => {
  const property = fc.property(anyBytes, fc.nat(300), (bytes, length) => {
    const whole = readProxyHeader(Buffer.from(bytes));
    const part = readProxyHeader(Buffer.from(bytes.subarray(0, length)));
    if (whole.state === 'complete') expect(whole.length).toBeLessThanOrEqual(bytes.length);
    if (part.state !== 'incomplete') expect(whole).toEqual(part);
  });
  fc.assert(property, { numRuns: 3_000, seed: 15 });
});

test('each client that a load balancer can name is read as it is', () => {
  const address = fc.oneof(fc.ipV4(), fc.ipV6());
  const property = fc.property(address, fc.nat(65_535), (text, port) => {
    const isIPv4 = !text.includes(':');
    const line = `PROXY ${isIPv4 ? 'TCP4' : 'TCP6'} ${text} ${isIPv4 ? '192.0.2.1' : '::1'} ${port} 443\r\n`;
    const header = readProxyHeader(Buffer.from(line + REST.toString()));
    if (header.state !== 'complete') throw new Error(`${line}: ${JSON.stringify(header)}`);
    expect(header.length).toBe(line.length);
    const { source } = header;
    expect(source?.port).toBe(port);
    const same = new BlockList();
    same.addAddress(text, isIPv4 ? 'ipv4' : 'ipv6');
    expect(same.check(source?.address ?? '', isIPv4 ? 'ipv4' : 'ipv6')).toBe(true);
  });
  fc.assert(property, { numRuns: 500, seed: 15 });
});
