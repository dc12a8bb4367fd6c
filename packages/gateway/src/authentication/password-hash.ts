/** Passwords as hashes in the PHC string format (argon2id, scrypt): made, read and compared. */
import { argon2, randomBytes, scrypt, timingSafeEqual } from 'node:crypto';

/** A hash whose parameters have been checked. */
export interface PasswordHash {
  /** As in the file. */
  readonly text: string;
  readonly derive: (password: string) => Promise<Buffer>;
  readonly digest: Buffer;
}

/** What OWASP recommends at least for argon2id: 19 MiB, two passes, one lane. */
const ARGON2 = { memoryKib: 19_456, passes: 2, lanes: 1 };
/** RFC 9106 §3.1. */
const SALT_BYTES = 16;
const DIGEST_BYTES = 32;

const MIN_SALT_BYTES = 8;
const MIN_DIGEST_BYTES = 16;
const MAX_DIGEST_BYTES = 64;
const MAX_SALT_BYTES = 64;
const KIB = 1024;
/** One check must not take all the memory of a gateway. */
const MAX_MEMORY_BYTES = 268_435_456;
/** The weakest of OWASP's equivalents for argon2id: 7 MiB, five passes. */
const MIN_ARGON2_MEMORY_KIB = 7_168;
const MIN_ARGON2_WORK_KIB = 5 * MIN_ARGON2_MEMORY_KIB;
/** Some seconds of a processor. */
const MAX_ARGON2_WORK_KIB = 2_097_152;
const MAX_ARGON2_LANES = 16;
/** Bytes that scrypt goes through for each unit of N, r and p (RFC 7914 §2). */
const SCRYPT_BLOCK_BYTES = 128;
/** ln=15, r=8, p=1. */
const MIN_SCRYPT_WORK_BYTES = 33_554_432;
const MAX_SCRYPT_WORK_BYTES = 2_147_483_648;
const MAX_SCRYPT_LN = 24;

const ARGON2_TEXT = /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,4}),p=(\d{1,2})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;
const SCRYPT_TEXT = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,3}),p=(\d{1,2})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;

/** Passwords are compared in Unicode's composed form, whatever a keyboard sends (RFC 8265 §4.2.2). */
function bytesOf(password: string): Buffer {
  return Buffer.from(password.normalize('NFC'));
}

/** Makes a hash with a salt of its own. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const digest = await deriveArgon2({ salt, digestBytes: DIGEST_BYTES, parameters: ARGON2 }, password);
  const { memoryKib, passes, lanes } = ARGON2;
  return `$argon2id$v=19$m=${memoryKib},t=${passes},p=${lanes}$${unpadded(salt)}$${unpadded(digest)}`;
}

/** Returns the reason for a text that is not a hash, or one that is too weak; the reason does not quote the text. */
export function parsePasswordHash(text: string): PasswordHash | string {
  const parsed = text.startsWith('$scrypt$') ? parseScrypt(text) : parseArgon2(text);
  if (typeof parsed === 'string') return parsed;
  const { salt, digest } = parsed;
  if (salt.length < MIN_SALT_BYTES || salt.length > MAX_SALT_BYTES) {
    return `the salt of the hash must have ${MIN_SALT_BYTES} to ${MAX_SALT_BYTES} bytes`;
  }
  if (digest.length < MIN_DIGEST_BYTES || digest.length > MAX_DIGEST_BYTES) {
    return `the digest of the hash must have ${MIN_DIGEST_BYTES} to ${MAX_DIGEST_BYTES} bytes`;
  }
  return { text, derive: parsed.derive, digest };
}

/** Takes long, in a thread of its own; compares in constant time. */
export async function isPassword(hash: PasswordHash, password: string): Promise<boolean> {
  return timingSafeEqual(await hash.derive(password), hash.digest);
}

/** Of no password: it costs what {@link hashPassword} makes. */
export const NO_PASSWORD: PasswordHash = {
  text: '',
  derive: (password) =>
    deriveArgon2({ salt: Buffer.alloc(SALT_BYTES), digestBytes: DIGEST_BYTES, parameters: ARGON2 }, password),
  digest: Buffer.alloc(DIGEST_BYTES),
};

interface Parsed {
  salt: Buffer;
  digest: Buffer;
  derive: (password: string) => Promise<Buffer>;
}

const HOW = 'make one with npm run gateway -- --hash';

function parseArgon2(text: string): Parsed | string {
  const match = ARGON2_TEXT.exec(text);
  if (match === null) return describeUnknown(text);
  const [memoryKib = 0, passes = 0, lanes = 0] = match.slice(1, 4).map(Number);
  const [salt, digest] = match.slice(4).map(decoded) as [Buffer, Buffer];
  if (memoryKib < MIN_ARGON2_MEMORY_KIB || memoryKib * passes < MIN_ARGON2_WORK_KIB) {
    return `the parameters of the hash are too weak (at least m=${MIN_ARGON2_MEMORY_KIB},t=5 or m=19456,t=2): ${HOW}`;
  }
  const isTooCostly = memoryKib * KIB > MAX_MEMORY_BYTES || memoryKib * passes > MAX_ARGON2_WORK_KIB;
  if (isTooCostly || lanes < 1 || lanes > MAX_ARGON2_LANES) {
    return `the parameters of the hash cost too much (at most m=${MAX_MEMORY_BYTES / KIB}, m times t ${MAX_ARGON2_WORK_KIB}, p=${MAX_ARGON2_LANES})`;
  }
  const options = { salt, digestBytes: digest.length, parameters: { memoryKib, passes, lanes } };
  return { salt, digest, derive: (password) => deriveArgon2(options, password) };
}

function parseScrypt(text: string): Parsed | string {
  const match = SCRYPT_TEXT.exec(text);
  if (match === null) return describeUnknown(text);
  const [ln = 0, r = 0, p = 0] = match.slice(1, 4).map(Number);
  const [salt, digest] = match.slice(4).map(decoded) as [Buffer, Buffer];
  const memoryBytes = SCRYPT_BLOCK_BYTES * 2 ** ln * r;
  if (memoryBytes * p < MIN_SCRYPT_WORK_BYTES || r < 8) {
    return `the parameters of the hash are too weak (at least ln=15,r=8,p=1): ${HOW}`;
  }
  if (ln > MAX_SCRYPT_LN || memoryBytes > MAX_MEMORY_BYTES || memoryBytes * p > MAX_SCRYPT_WORK_BYTES) {
    return 'the parameters of the hash cost too much (at most ln=18,r=8,p=8)';
  }
  const options = { N: 2 ** ln, r, p, maxmem: 2 * memoryBytes };
  const derive = (password: string): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      scrypt(bytesOf(password), salt, digest.length, options, (error, key) => (error ? reject(error) : resolve(key)));
    });
  return { salt, digest, derive };
}

function describeUnknown(text: string): string {
  if (/^\$(?:argon2|scrypt)/.test(text)) return `is not a valid hash of argon2id (v=19) or scrypt: ${HOW}`;
  if (/^\$2[abxy]\$/.test(text)) return `is a hash of bcrypt, not of argon2id or scrypt: ${HOW}`;
  return `is not the hash of a password in the PHC format ($argon2id$… or $scrypt$…), but perhaps the password itself: ${HOW}`;
}

interface Argon2Options {
  salt: Buffer;
  digestBytes: number;
  parameters: { memoryKib: number; passes: number; lanes: number };
}

function deriveArgon2({ salt, digestBytes, parameters }: Argon2Options, password: string): Promise<Buffer> {
  const { memoryKib, passes, lanes } = parameters;
  return new Promise((resolve, reject) => {
    argon2(
      'argon2id',
      {
        message: bytesOf(password),
        nonce: salt,
        parallelism: lanes,
        tagLength: digestBytes,
        memory: memoryKib,
        passes,
      },
      (error, key) => (error ? reject(error) : resolve(key)),
    );
  });
}

function decoded(text: string): Buffer {
  return Buffer.from(text, 'base64');
}

/** As PHC strings have it. */
function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}
