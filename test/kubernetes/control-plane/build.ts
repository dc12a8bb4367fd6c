/** `npm run kubernetes` begins with it: builds the control plane, or finds the one that was built. */
import process from 'node:process';
import { buildControlPlane } from './programs.ts';

const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());

try {
  await buildControlPlane((line) => process.stderr.write(`${line}\n`), stopping.signal);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
