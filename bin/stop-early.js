/**
 * Loaded before a program (`--import`): a signal that arrives while its modules load ends it. As process 1 of a container it would
 * ignore the signal, because the kernel gives that process no default action, and be killed after the whole grace period.
 */
import process from 'node:process';

for (const signal of ['SIGTERM', 'SIGINT']) {
  // Nothing has begun, so this is a stop in order.
  const stop = () => process.exit(0);
  const yieldToProgram = (event) => {
    if (event !== signal) return;
    process.off('newListener', yieldToProgram);
    // After the program's listener is there: without any, Node.js stops listening for the signal.
    process.nextTick(() => process.off(signal, stop));
  };
  process.on(signal, stop);
  process.on('newListener', yieldToProgram);
}
