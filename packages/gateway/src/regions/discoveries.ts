/** Describes which targets DNS has added and removed, for events. Pure. */
import type { GatewayEvent } from '@causeway/protocol/admin/events.ts';
import { keyOfTarget, type WantedTarget } from './wanted-targets.ts';

type Discovered = Extract<GatewayEvent, { type: 'discovery' }>;

/** One event for each region and name whose targets have changed. */
export function describeDiscoveries(before: readonly WantedTarget[], after: readonly WantedTarget[]): Discovered[] {
  const [old, now] = [new Set(before.map(keyOfTarget)), new Set(after.map(keyOfTarget))];
  const events = new Map<string, Discovered>();
  const eventOf = ({ region, discoveredBy: name = '' }: WantedTarget): Discovered => {
    const key = `${region} ${name}`;
    const known = events.get(key);
    if (known !== undefined) return known;
    const targetCount = after.filter((one) => one.region === region && one.discoveredBy === name).length;
    const event: Discovered = { type: 'discovery', region, name, added: [], removed: [], targetCount };
    events.set(key, event);
    return event;
  };
  for (const one of after) {
    if (one.discoveredBy !== undefined && !old.has(keyOfTarget(one))) eventOf(one).added.push(one.url);
  }
  for (const one of before) {
    if (one.discoveredBy !== undefined && !now.has(keyOfTarget(one))) eventOf(one).removed.push(one.url);
  }
  return [...events.values()];
}
