/** `npm run bench -- [gateway|bridge|failover] [--quick] [--row NAME]… [--consumers N]`: measures, prints a table, and stops by itself. */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { BRIDGE_ROWS, type BridgeRow, benchBridge } from './bridge.ts';
import { benchFailover } from './failover.ts';
import { benchGateway } from './gateway.ts';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean' }, row: { type: 'string', multiple: true }, consumers: { type: 'string' } },
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
} else if (what === 'failover') {
  const activeCount = Number(values.consumers ?? (values.quick ? 100 : 1_000));
  await benchFailover({ activeCount, idleCount: 9 * activeCount });
} else {
  process.stderr.write(`There is no benchmark ${what}. There are: gateway, bridge, failover\n`);
  process.exitCode = 2;
}
