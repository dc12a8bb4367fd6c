/** Describes the differences between two configurations. */
import { masked } from '@causeway/config/masked.ts';
import { GatewayConfig } from './schema.ts';

/** Keys that are read only at the start. */
const NEEDS_RESTART = [
  /^listen(?:ers)?\./,
  /^admin\.(?:host$|port$|insecure$|tls\.)/,
  /^log\./,
  /^accessLog\./,
  /^tracing\./,
  /^gateway\./,
  /^request\.(?:maxUrlBytes|maxHeaderBytes|headersTimeoutMs|bodyTimeoutMs)$/,
];

/** Returns the configuration in force after a reload: identity, listeners and logs stay the same until a restart. */
export function untilRestart(before: GatewayConfig, after: GatewayConfig): GatewayConfig {
  const { gateway, listen, listeners, admin, log, accessLog, tracing } = before;
  const { listen: _, listeners: __, accessLog: ___, tracing: ____, ...others } = after;
  const { tls: _____, ...changeable } = after.admin;
  return {
    ...others,
    gateway,
    ...(listen === undefined ? {} : { listen }),
    ...(listeners === undefined ? {} : { listeners }),
    admin: {
      ...changeable,
      host: admin.host,
      port: admin.port,
      insecure: admin.insecure,
      ...(admin.tls === undefined ? {} : { tls: admin.tls }),
    },
    log,
    ...(accessLog === undefined ? {} : { accessLog }),
    ...(tracing === undefined ? {} : { tracing }),
  };
}

/** Returns one line for each change, as `regions.east.weight: 50 → 20`. A secret only has "changed". */
export function describeChanges(before: GatewayConfig, after: GatewayConfig): string[] {
  const [old, shownOld] = [flatten(before), flatten(masked(GatewayConfig, before))];
  const [values, shown] = [flatten(after), flatten(masked(GatewayConfig, after))];
  const changes: string[] = [];
  for (const path of new Set([...values.keys(), ...old.keys()])) {
    const [oldValue, value] = [old.get(path), values.get(path)];
    if (oldValue === value) continue;
    const isSecret = shownOld.get(path) !== oldValue || shown.get(path) !== value;
    const note = NEEDS_RESTART.some((pattern) => pattern.test(path)) ? ' (needs a restart)' : '';
    if (value === undefined) changes.push(`${path}: ${shownOld.get(path)} (removed)${note}`);
    else if (isSecret) changes.push(`${path}: changed${note}`);
    else if (oldValue === undefined) changes.push(`${path}: ${value} (new)${note}`);
    else changes.push(`${path}: ${oldValue} → ${value}${note}`);
  }
  return changes;
}

function flatten(config: unknown): Map<string, string> {
  const result = new Map<string, string>();
  const walk = (value: unknown, path: string): void => {
    if (typeof value !== 'object' || value === null) result.set(path, String(value));
    else if (Array.isArray(value)) {
      const seen = new Set<string>();
      for (const [index, item] of value.entries()) {
        const key = keyOf(item, index);
        // One name may give targets on several ports.
        walk(item, `${path}.${seen.has(key) ? `${key}.${index}` : key}`);
        seen.add(key);
      }
    } else for (const [key, item] of Object.entries(value)) walk(item, path === '' ? key : `${path}.${key}`);
  };
  walk(config, '');
  return result;
}

/** Regions and targets keep their identity when the order changes. */
function keyOf(item: unknown, index: number): string {
  if (typeof item === 'object' && item !== null) {
    if ('name' in item) return String(item.name);
    if ('url' in item) return String(item.url);
    if ('dns' in item) return String(item.dns);
  }
  return String(index);
}
