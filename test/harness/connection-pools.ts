/** The open connection pools of the Kafka library in this process, from the library's own diagnostics. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { ConnectionPool } from '@platformatic/kafka';
import { onTestFinished } from 'vitest';

const INSTANCES_CHANNEL = 'plt:kafka:instances';

export interface PoolWatch {
  /** Pools created since the watch began. */
  readonly createdCount: number;
  /** Those that are not closed. */
  readonly openCount: number;
}

/** Watches every pool that is created from now on, until the test ends. */
export function watchPools(): PoolWatch {
  const open = new Set<ConnectionPool>();
  let createdCount = 0;
  const onCreated = (message: unknown): void => {
    const { instance } = message as { instance: unknown };
    if (!(instance instanceof ConnectionPool)) return;
    createdCount += 1;
    open.add(instance);
    const close = instance.close.bind(instance) as () => Promise<void>;
    instance.close = () => {
      open.delete(instance);
      return close();
    };
  };
  subscribe(INSTANCES_CHANNEL, onCreated);
  onTestFinished(() => {
    unsubscribe(INSTANCES_CHANNEL, onCreated);
  });
  return {
    get createdCount() {
      return createdCount;
    },
    get openCount() {
      return open.size;
    },
  };
}
