/** Copies of the demo's YAML with sections added for every gateway. */
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const SCHEMAS = fileURLToPath(new URL('../../../../config/', import.meta.url));

/** What the gateways of a lab with `--exactly-once` have more. */
export const EXACTLY_ONCE_SECTION = `
# --- What the lab adds with --exactly-once: a request without a key gets one. ---
retry:
  produce: exactly-once
`;

/** Replaces the directory `to` by a copy of `from`; `sections` are added for every gateway: clients may talk to each of them. */
export function copyConfig({ from, to, sections }: { from: string; to: string; sections: string }): void {
  rmSync(to, { recursive: true, force: true });
  cpSync(from, to, { recursive: true });
  for (const name of readdirSync(to)) {
    const file = join(to, name);
    // Editors find the schema from the copy, too.
    const yaml = readFileSync(file, 'utf8').replace('$schema=../', `$schema=${pathToFileURL(SCHEMAS)}`);
    const isGateways = name === 'tier1.yaml' || name.endsWith('-gateway.yaml');
    writeFileSync(file, isGateways ? `${yaml}${sections}` : yaml);
  }
}
