/** `npm run bench -- [gateway]`: measures, prints one table, and stops by itself in under three minutes. */
import process from 'node:process';
import { benchGateway } from './gateway.ts';

const [what = 'gateway'] = process.argv.slice(2);
if (what === 'gateway') {
  await benchGateway();
} else {
  process.stderr.write(`There is no benchmark ${what}. There is: gateway\n`);
  process.exitCode = 2;
}
