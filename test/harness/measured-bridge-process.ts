/** The process of a {@link MeasuredBridge}: a bridge, and a clock that measures its event loop. */
import process from 'node:process';
import { Bridge } from '@causeway/bridge/app.ts';
import { BridgeConfig } from '@causeway/bridge/config.ts';
import { parseConfig } from '@causeway/config/load.ts';
import { pino } from 'pino';

/** Shorter than every turn of the loop that matters. */
const TICK_MS = 2;

const config = parseConfig('test', process.argv[2] ?? '', { schema: BridgeConfig, env: {} });
const bridge = await Bridge.start(config, pino({ level: 'silent' }));

let usedMs = cpuMs();
let longestTurnMs = 0;
setInterval(() => {
  const nowMs = cpuMs();
  longestTurnMs = Math.max(longestTurnMs, nowMs - usedMs);
  usedMs = nowMs;
}, TICK_MS);

process.on('message', (question: 'turn' | 'calibration') => {
  if (question === 'calibration') {
    process.send?.(calibrationMs());
    usedMs = cpuMs();
    return;
  }
  process.send?.(longestTurnMs);
  longestTurnMs = 0;
});
process.on('disconnect', () => process.exit());
process.send?.(bridge.url);

/** Processor time of this thread, to which other processes do not add. */
function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** The time that a fixed piece of work takes on this machine now. */
function calibrationMs(): number {
  const text = JSON.stringify(Array.from({ length: 100_000 }, (_, index) => ({ index })));
  const times = Array.from({ length: 5 }, () => {
    const startMs = cpuMs();
    JSON.parse(text);
    return cpuMs() - startMs;
  });
  return times.sort((one, other) => one - other)[2] ?? 0;
}
