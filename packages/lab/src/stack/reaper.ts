/**
 * A separate program: kills the processes of the lab when the lab has exited, even by SIGKILL.
 *
 * The lab holds the write end of this program's standard input. Each line is `watch PID`, `forget PID`, or
 * `at-end JSON`, an argv to run at the end. End of input means that the lab is gone.
 */
import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { createInterface } from 'node:readline';

const watched = new Set<number>();
const commandsAtEnd: string[][] = [];

// The terminal's Ctrl-C goes to the lab; this program outlives it and ends with its input.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});

const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => {
  const space = line.indexOf(' ');
  const verb = line.slice(0, space);
  const rest = line.slice(space + 1);
  if (verb === 'watch') watched.add(Number(rest));
  else if (verb === 'forget') watched.delete(Number(rest));
  else if (verb === 'at-end') commandsAtEnd.push(JSON.parse(rest) as string[]);
});
lines.on('close', () => {
  for (const pid of watched) {
    try {
      // Each leads its own process group: its children end with it.
      process.kill(-pid, 'SIGKILL');
    } catch {
      // Already gone.
    }
  }
  for (const [command, ...args] of commandsAtEnd) {
    if (command !== undefined) spawnSync(command, args, { stdio: 'ignore' });
  }
  process.exit(0);
});
