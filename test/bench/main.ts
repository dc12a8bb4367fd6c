/** `npm run bench -- [gateway|bridge] [--quick]`: measures, prints one table, and stops by itself in a few minutes. */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { benchBridge } from './bridge.ts';
import { benchGateway } from './gateway.ts';

const { positionals, values } = parseArgs({ allowPositionals: true, options: { quick: { type: 'boolean' } } });
const [what = 'gateway'] = positionals;
if (what === 'gateway') {
  await benchGateway();
} else if (what === 'bridge') {
  await benchBridge({ isQuick: values.quick ?? false });
} else {
  process.stderr.write(`There is no benchmark ${what}. There are: gateway, bridge\n`);
  process.exitCode = 2;
}
