/**
 * Reads the header that a load balancer writes before the bytes of its client, in version 1 (text) or 2 (binary):
 * https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt, whose sections the comments name.
 */
import { isIPv4, isIPv6, SocketAddress } from 'node:net';

export interface ProxySource {
  /** The address of the load balancer's client, in Node's form. */
  address: string;
  port: number;
}

export type ProxyHeader =
  /** More bytes are needed. */
  | { state: 'incomplete' }
  | { state: 'invalid'; reason: string }
  /** The client's bytes begin after `length` bytes. No `source`: the connection is the sender's own, such as a health check. */
  | { state: 'complete'; length: number; source: ProxySource | undefined };

/** The longest line, with its CRLF (§2.1). */
const MAX_TEXT_BYTES = 107;
/** Receivers must accept 536 bytes (§2.2); extensions such as a client's certificate take more. */
export const MAX_PROXY_HEADER_BYTES = 4_096;

const TEXT_START = Buffer.from('PROXY ', 'latin1');
const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
/** The signature, version and command, family and protocol, length (§2.2). */
const FIXED_BYTES = 16;

const INCOMPLETE: ProxyHeader = { state: 'incomplete' };

/** Reads the header at the start of the bytes that have arrived so far. Pure; linear in the header's length. */
export function readProxyHeader(bytes: Buffer): ProxyHeader {
  if (startsAlike(bytes, TEXT_START)) return bytes.length < TEXT_START.length ? INCOMPLETE : readText(bytes);
  if (startsAlike(bytes, SIGNATURE)) return bytes.length < FIXED_BYTES ? INCOMPLETE : readBinary(bytes);
  return invalid('it does not begin with a PROXY header');
}

function startsAlike(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length);
  return bytes.compare(start, 0, length, 0, length) === 0;
}

function invalid(reason: string): ProxyHeader {
  return { state: 'invalid', reason };
}

/** Version 1 (§2.1). */
function readText(bytes: Buffer): ProxyHeader {
  const end = bytes.subarray(0, MAX_TEXT_BYTES).indexOf('\r\n', 0, 'latin1');
  if (end === -1) {
    return bytes.length < MAX_TEXT_BYTES ? INCOMPLETE : invalid(`its line is longer than ${MAX_TEXT_BYTES} bytes`);
  }
  const length = end + '\r\n'.length;
  const line = bytes.toString('latin1', TEXT_START.length, end);
  // What follows the word is ignored (§2.1).
  if (line === 'UNKNOWN' || line.startsWith('UNKNOWN ')) return { state: 'complete', length, source: undefined };
  const [family, source = '', destination = '', sourcePort = '', destinationPort = '', ...rest] = line.split(' ');
  if (family !== 'TCP4' && family !== 'TCP6') return invalid('its protocol is not TCP4, TCP6 or UNKNOWN');
  if (rest.length > 0) return invalid('its line has more than four values');
  const isAddress = family === 'TCP4' ? isIPv4 : isPlainIPv6;
  if (!isAddress(source) || !isAddress(destination)) return invalid(`its line has an invalid address of ${family}`);
  if (!isPort(sourcePort) || !isPort(destinationPort)) return invalid('its line has an invalid port');
  return { state: 'complete', length, source: { address: canonical(source), port: Number(sourcePort) } };
}

/** A zone has a meaning on the sender's machine only. */
function isPlainIPv6(text: string): boolean {
  return isIPv6(text) && !text.includes('%');
}

/** In decimal, without leading zeros (§2.1). */
function isPort(text: string): boolean {
  return /^(?:0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535;
}

const LOCAL = 0x20;
const PROXY = 0x21;
/** By the byte of family and protocol: the length of the addresses, and the version of IP. UDP and UNIX have no address of a TCP client. */
const FAMILIES: ReadonlyMap<number, { bytes: number; ip: 4 | 6 | undefined }> = new Map([
  [0x00, { bytes: 0, ip: undefined }],
  [0x11, { bytes: 12, ip: 4 }],
  [0x12, { bytes: 12, ip: undefined }],
  [0x21, { bytes: 36, ip: 6 }],
  [0x22, { bytes: 36, ip: undefined }],
  [0x31, { bytes: 216, ip: undefined }],
  [0x32, { bytes: 216, ip: undefined }],
]);

/** Version 2 (§2.2). */
function readBinary(bytes: Buffer): ProxyHeader {
  const command = bytes[12] as number;
  if (command !== LOCAL && command !== PROXY) return invalid('its version or command is unknown');
  const family = FAMILIES.get(bytes[13] as number);
  const length = FIXED_BYTES + bytes.readUInt16BE(14);
  if (length > MAX_PROXY_HEADER_BYTES) return invalid(`it is longer than ${MAX_PROXY_HEADER_BYTES} bytes`);
  if (command === PROXY) {
    if (family === undefined) return invalid('its family or protocol is unknown');
    if (length < FIXED_BYTES + family.bytes) return invalid('it is shorter than its addresses');
  }
  if (bytes.length < length) return INCOMPLETE;
  // Everything after the fixed bytes is ignored (§2.2).
  if (command === LOCAL || family === undefined) return { state: 'complete', length, source: undefined };
  const problem = extensionProblem(bytes.subarray(0, length), FIXED_BYTES + family.bytes);
  if (problem !== undefined) return invalid(problem);
  return { state: 'complete', length, source: family.ip === undefined ? undefined : binarySource(bytes, family.ip) };
}

function binarySource(bytes: Buffer, ip: 4 | 6): ProxySource {
  if (ip === 4) {
    return { address: [...bytes.subarray(FIXED_BYTES, FIXED_BYTES + 4)].join('.'), port: bytes.readUInt16BE(24) };
  }
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(FIXED_BYTES + 2 * index).toString(16));
  return { address: canonical(groups.join(':')), port: bytes.readUInt16BE(48) };
}

/** As Node writes the addresses of sockets. */
function canonical(address: string): string {
  return isIPv6(address) ? new SocketAddress({ address, family: 'ipv6' }).address : address;
}

/** The type and the length (§2.2.1). */
const EXTENSION_HEAD_BYTES = 3;
/** PP2_TYPE_CRC32C (§2.2.3). */
const CHECKSUM_TYPE = 0x03;
const CHECKSUM_BYTES = 4;

/** Steps over the extensions (TLVs), and verifies the checksum where there is one. */
function extensionProblem(header: Buffer, start: number): string | undefined {
  let isChecked = false;
  for (let at = start; at < header.length; ) {
    if (header.length - at < EXTENSION_HEAD_BYTES) return 'its extensions are cut off';
    const valueAt = at + EXTENSION_HEAD_BYTES;
    const valueBytes = header.readUInt16BE(at + 1);
    if (valueAt + valueBytes > header.length) return 'its extensions are cut off';
    if (header[at] === CHECKSUM_TYPE) {
      if (isChecked) return 'it has two checksums';
      isChecked = true;
      if (valueBytes !== CHECKSUM_BYTES) return 'its checksum has another length';
      if (checksumOf(header, valueAt) !== header.readUInt32BE(valueAt)) return 'its checksum is wrong';
    }
    at = valueAt + valueBytes;
  }
  return undefined;
}

/** CRC-32C (RFC 9260 appendix A) of the header, with zeros in place of the checksum. */
function checksumOf(header: Buffer, checksumAt: number): number {
  let remainder = 0xffffffff;
  for (const [index, byte] of header.entries()) {
    remainder ^= index >= checksumAt && index < checksumAt + CHECKSUM_BYTES ? 0 : byte;
    for (let bit = 0; bit < 8; bit += 1) remainder = remainder & 1 ? (remainder >>> 1) ^ 0x82f63b78 : remainder >>> 1;
  }
  return (remainder ^ 0xffffffff) >>> 0;
}
