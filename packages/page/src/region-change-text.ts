/** What the dialog says about changes of regions. */
import type { System } from '@causeway/protocol/admin/model.ts';
import type { RegionChange } from './api-client.ts';
import type { ChangeText } from './change-text.ts';
import { plural } from './format.ts';

const TITLES = { drain: 'Drain', undrain: 'Undrain', weight: 'Change the weight of' } as const;

export function textOfRegionChange(change: RegionChange, system: System | null): ChangeText {
  const { kind, region: name } = change;
  const title = `${TITLES[kind]} ${name}`;
  const region = system?.regions.find((candidate) => candidate.name === name);
  const consumers = plural(region?.consumerCount ?? 0, 'consumer');
  const others = system?.regions.filter((other) => other.name !== name).map((other) => other.name) ?? [];
  const elsewhere = others.length === 0 ? 'no region: it is the only one' : others.join(', ');
  const effect = {
    drain: `New work goes to ${elsewhere}. The ${consumers} of ${name} move there at their next poll, after their last commit.`,
    undrain: `${name} takes new work again, by its weight of ${region?.configuredWeight ?? 0}.`,
    weight:
      'The share of new work among the regions of the same priority. With 0 its consumers move away at their next poll.',
  }[kind];
  return { title, submit: kind === 'weight' ? 'Set weight' : title, effect, warning: untilReload(system) };
}

/** After the change. */
export function doneWithRegion(change: RegionChange, system: System | null): string {
  const done = {
    drain: `${change.region} is drained.`,
    undrain: `${change.region} takes new work again.`,
    weight: change.kind === 'weight' ? `The weight of ${change.region} is ${change.weight}.` : '',
  }[change.kind];
  return `${done} ${untilReload(system)}`;
}

function untilReload(system: System | null): string {
  return `The next reload restores the values in ${system?.config.file ?? 'the configuration file'}.`;
}
