/** The authority of `--ca`, beside those of the system. */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import process from 'node:process';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Errors: `Error` for a file that cannot be used. */
export function trustAuthority(file: string): void {
  // npm runs scripts in the repository's root; INIT_CWD is where the person stands.
  const path = resolve(process.env['INIT_CWD'] ?? '.', file);
  try {
    const found = readFileSync(path, 'utf8').match(CERTIFICATE) ?? [];
    if (found.length === 0) throw new Error('it contains no certificate (PEM)');
    // Errors: for invalid ones, which the next function ignores.
    for (const certificate of found) new X509Certificate(certificate);
    setDefaultCACertificates([...getCACertificates('default'), ...found]);
  } catch (cause) {
    throw new Error(`--ca ${file} cannot be used: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}
