/** `npm run bench -- [gateway|bridge] [--quick] [--row NAME]…`: measures, prints one table, and stops by itself. */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { BRIDGE_ROWS, type BridgeRow, benchBridge } from './bridge.ts';
import { benchGateway } from './gateway.ts';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean' }, row: { type: 'string', multiple: true } },
});
const [what = 'gateway'] = positionals;
if (what === 'gateway') {
  await benchGateway();
} else if (what === 'bridge') {
  const unknown = values.row?.find((row) => !BRIDGE_ROWS.includes(row as BridgeRow));
  if (unknown === undefined) {
    const wanted = values.row === undefined ? undefined : new Set(values.row as BridgeRow[]);
    await benchBridge({ isQuick: values.quick ?? false, wanted });
  } else {
    process.stderr.write(`There is no row ${unknown}. There are: ${BRIDGE_ROWS.join(', ')}\n`);
    process.exitCode = 2;
  }
} else {
  process.stderr.write(`There is no benchmark ${what}. There are: gateway, bridge\n`);
  process.exitCode = 2;
}
