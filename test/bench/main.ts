/** The command line of the benchmarks: measures, prints a table, and exits. */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { BRIDGE_ROWS, type BridgeRow, benchBridge } from './bridge.ts';
import { benchFailover } from './failover.ts';
import { benchGateway } from './gateway.ts';
import { GATEWAY_ROWS, type GatewayRow } from './gateway-rows.ts';
import { benchSessions } from './sessions.ts';
import { benchTakeover } from './takeover.ts';

const USAGE = `Usage: npm run bench -- [gateway | bridge | failover | takeover | sessions] [options]

  gateway        requests through the gateway, and through other proxies that are installed (default)
    --quick      fewer and shorter rounds
    --row NAME   this row alone; may be repeated: ${GATEWAY_ROWS.join(', ')}
  bridge         producing and reading
    --quick      fewer records
    --row NAME   this row alone; may be repeated: ${BRIDGE_ROWS.join(', ')}
  failover       consumers whose region dies
    --quick      100 consumers
    --consumers N  so many (default 1000)
  takeover       idempotency keys whose region dies
    --quick      two rounds instead of six
  sessions       consumers that joined their groups and wait
    --quick      1000 consumers
    --consumers N  so many (default 10000)
  --help         this text`;

const OPTIONS = {
  quick: { type: 'boolean' },
  row: { type: 'string', multiple: true },
  consumers: { type: 'string' },
  help: { type: 'boolean' },
} as const;

/** Errors: `TypeError` or `RangeError` with the reason. */
function readArguments() {
  const { positionals, values } = parseArgs({ allowPositionals: true, options: OPTIONS });
  const [what = 'gateway', ...others] = positionals;
  if (others.length > 0) throw new RangeError(`One benchmark at a time: ${positionals.join(', ')}`);
  const known: readonly string[] = what === 'gateway' ? GATEWAY_ROWS : what === 'bridge' ? BRIDGE_ROWS : [];
  for (const row of values.row ?? []) {
    if (!known.includes(row)) throw new RangeError(`The benchmark ${what} has no row ${row}`);
  }
  const isQuick = values.quick ?? false;
  const usualCount = (what === 'sessions' ? 10_000 : 1_000) / (isQuick ? 10 : 1);
  const consumerCount = Number(values.consumers ?? usualCount);
  if (!Number.isInteger(consumerCount) || consumerCount < 1) {
    throw new RangeError(`--consumers must be a number of consumers: ${values.consumers}`);
  }
  return { what, rows: values.row && new Set(values.row), isQuick, consumerCount, isHelp: values.help ?? false };
}

async function run({ what, rows, isQuick, consumerCount }: ReturnType<typeof readArguments>): Promise<void> {
  switch (what) {
    case 'gateway':
      return await benchGateway({ isQuick, wanted: rows as ReadonlySet<GatewayRow> | undefined });
    case 'bridge':
      return await benchBridge({ isQuick, wanted: rows as ReadonlySet<BridgeRow> | undefined });
    case 'failover':
      return await benchFailover({ activeCount: consumerCount, idleCount: 9 * consumerCount });
    case 'takeover':
      return await benchTakeover({ rounds: isQuick ? 2 : 6 });
    case 'sessions':
      return await benchSessions({ consumerCount });
    default:
      refuse(`There is no benchmark ${what}`);
  }
}

function refuse(reason: string): void {
  process.stderr.write(`${reason}\n\n${USAGE}\n`);
  process.exitCode = 2;
}

let given: ReturnType<typeof readArguments> | undefined;
try {
  given = readArguments();
} catch (error) {
  refuse(error instanceof Error ? error.message : String(error));
}
if (given?.isHelp) process.stdout.write(`${USAGE}\n`);
else if (given !== undefined) await run(given);
