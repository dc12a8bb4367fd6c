/** Says in words what differs between two configurations. */
import type { GatewayConfig } from './schema.ts';

/** Read at the start only. */
const NEEDS_RESTART = [
  /^listen\./,
  /^admin\./,
  /^log\./,
  /^accessLog\./,
  /^tracing\./,
  /^gateway\./,
  /^request\.maxHeaderBytes$/,
];
/** Told as changed, without what it is. */
const SECRET = /^tracing\.headers\./;

/** The configuration in force after a reload: who it is, where it listens and what it writes stays until a restart. */
export function untilRestart(before: GatewayConfig, after: GatewayConfig): GatewayConfig {
  const { gateway, listen, admin, log, accessLog, tracing } = before;
  const { accessLog: _, tracing: __, ...others } = after;
  return {
    ...{ ...others, gateway, listen, admin, log },
    ...(accessLog === undefined ? {} : { accessLog }),
    ...(tracing === undefined ? {} : { tracing }),
  };
}

/** One line a change, as `regions.east.weight: 50 → 20`. */
export function describeChanges(before: GatewayConfig, after: GatewayConfig): string[] {
  const old = flatten(before);
  const changes: string[] = [];
  for (const [path, value] of flatten(after)) {
    const oldValue = old.get(path);
    old.delete(path);
    if (oldValue === value) continue;
    const note = NEEDS_RESTART.some((pattern) => pattern.test(path)) ? ' (needs a restart)' : '';
    const shown = shownOf(path, value);
    changes.push(
      oldValue === undefined
        ? `${path}: ${shown} (new)${note}`
        : `${path}: ${shownOf(path, oldValue)} → ${shown}${note}`,
    );
  }
  for (const [path, value] of old) changes.push(`${path}: ${shownOf(path, value)} (removed)`);
  return changes;
}

function shownOf(path: string, value: string): string {
  return SECRET.test(path) ? '***' : value;
}

function flatten(config: GatewayConfig): Map<string, string> {
  const result = new Map<string, string>();
  const walk = (value: unknown, path: string): void => {
    if (typeof value !== 'object' || value === null) result.set(path, String(value));
    else if (Array.isArray(value))
      for (const [index, item] of value.entries()) walk(item, `${path}.${keyOf(item, index)}`);
    else for (const [key, item] of Object.entries(value)) walk(item, path === '' ? key : `${path}.${key}`);
  };
  walk(config, '');
  return result;
}

/** Regions and targets keep their identity when the order changes. */
function keyOf(item: unknown, index: number): string {
  if (typeof item === 'object' && item !== null) {
    if ('name' in item) return String(item.name);
    if ('url' in item) return String(item.url);
  }
  return String(index);
}
