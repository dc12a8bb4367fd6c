/** The regions: configured weight, measured share, breakers, requests in flight, and the operator's buttons. */

import type { AdminAccess, DnsName, Region, System } from '@causeway/protocol/admin/model.ts';
import { type ComponentChild, h } from 'preact';
import type { DialogRequest } from './change-dialog.ts';
import { formatCount, formatDuration, formatMs, formatPercent, formatRate, plural } from './format.ts';
import { markBadge } from './icons.ts';
import { breakerWords, conditionOfRegion } from './marks.ts';
import { memo } from './memo.ts';
import { tableHead } from './table-head.ts';

interface RegionsProps {
  system: System;
  /** `null` while it is unknown. */
  access: AdminAccess | null;
  nowMs: number;
  onAsk: (request: DialogRequest) => void;
}

const HEADS = ['Region', 'Weight', 'Share', 'Requests/s', 'Errors/s', 'p99', 'In flight', 'Consumers', 'Breaker'];
const CHANGE = 'Change';

export const RegionsView = memo(({ system, access, nowMs, onAsk }: RegionsProps): ComponentChild => {
  const isViewer = access?.role === 'viewer';
  const totalWeight = system.regions.reduce((sum, { weight }) => sum + weight, 0);
  return h(
    'section',
    { class: 'panel regions-panel', 'aria-labelledby': 'regions-title' },
    h('div', { class: 'panel-head' }, h('h2', { id: 'regions-title' }, 'Regions')),
    hintText(system, access) === '' ? null : h('p', { class: 'hint' }, hintText(system, access)),
    h(
      'table',
      { class: 'cards-on-phone' },
      tableHead(isViewer ? HEADS : [...HEADS, CHANGE]),
      h(
        'tbody',
        null,
        system.regions.map((region) =>
          h(RegionRow, {
            key: region.name,
            region,
            totalWeight,
            nowMs,
            canChange: isViewer ? null : system.adminAccess.canChange,
            onAsk,
          }),
        ),
      ),
    ),
  );
});

interface RowProps {
  region: Region;
  totalWeight: number;
  nowMs: number;
  /** `null`: the operator's buttons are hidden. */
  canChange: boolean | null;
  onAsk: (request: DialogRequest) => void;
}

function RegionRow({ region, totalWeight, nowMs, canChange, onAsk }: RowProps): ComponentChild {
  const { name, rates } = region;
  const condition = conditionOfRegion(region);
  const breaker = breakerWords(region);
  const since = condition.since === null ? '' : ` for ${formatDuration(nowMs - Date.parse(condition.since))}`;
  const expected = totalWeight === 0 ? null : region.weight / totalWeight;
  return h(
    'tr',
    { 'data-region-row': name },
    h(
      'th',
      { scope: 'row' },
      h('span', { class: 'region-name' }, name),
      markBadge(condition.mark, condition.words + since),
      condition.reason === '' ? null : h('span', { class: 'reason' }, condition.reason),
      region.dnsNames.map((one) => h('span', { key: one.name, class: 'reason' }, nameText(one))),
    ),
    cell('Weight', weightText(region)),
    cell('Share', shareBar(region.shareRatio, expected)),
    cell('Requests/s', formatRate(rates.requestsPerSecond), 'number'),
    cell('Errors/s', formatRate(rates.errorsPerSecond), rates.errorsPerSecond >= 0.05 ? 'number is-bad' : 'number'),
    cell('p99', formatMs(rates.p99Ms), 'number'),
    cell('In flight', formatCount(region.inFlight), 'number'),
    cell('Consumers', formatCount(region.consumerCount), 'number'),
    cell('Breaker', breaker.mark === 'up' ? breaker.words : markBadge(breaker.mark, breaker.words)),
    canChange === null ? null : h('td', null, actions(region, canChange, onAsk)),
  );
}

/** How the targets are found. */
function nameText({ name, addressCount }: DnsName): string {
  return `DNS: ${name}, ${plural(addressCount, 'target')}`;
}

function actions(region: Region, canChange: boolean, onAsk: RegionsProps['onAsk']): ComponentChild {
  const { name, isDrained, standsBy } = region;
  return h(
    'div',
    { class: 'actions' },
    h(
      'button',
      {
        type: 'button',
        disabled: !canChange,
        'aria-label': `Change the weight of ${name}`,
        onClick: () =>
          onAsk({
            kind: 'weight',
            region: name,
            weight: isDrained || standsBy ? region.configuredWeight : region.weight,
          }),
      },
      'Weight',
    ),
    h(
      'button',
      {
        type: 'button',
        disabled: !canChange,
        'aria-label': `${isDrained ? 'Undrain' : 'Drain'} ${name}`,
        onClick: () => onAsk({ kind: isDrained ? 'undrain' : 'drain', region: name }),
      },
      isDrained ? 'Undrain' : 'Drain',
    ),
  );
}

/** Why the reader cannot make changes; empty when changes are possible. */
function hintText({ adminAccess }: System, access: AdminAccess | null): string {
  if (!adminAccess.canChange) return adminAccess.reason;
  return access?.role === 'viewer' ? access.reason : '';
}

function cell(head: string, content: ComponentChild | string, kind = ''): ComponentChild {
  return h('td', { class: kind, 'data-head': head }, content);
}

function weightText({ weight, configuredWeight, weightIsOverridden, isDrained, standsBy }: Region): ComponentChild {
  const isOther = weight !== configuredWeight;
  const why = isDrained ? 'drained' : standsBy ? 'stands by' : weightIsOverridden ? 'set by an operator' : '';
  return h(
    'span',
    { class: 'weight' },
    h('b', null, String(weight)),
    isOther || why !== ''
      ? h('small', null, [`${configuredWeight} in the file`, why].filter(Boolean).join(', '))
      : null,
  );
}

/** The measured share as a bar, with a line at the share that the weights imply. */
function shareBar(ratio: number | null, expected: number | null): ComponentChild {
  return h(
    'span',
    { class: 'share' },
    h('span', { class: 'share-text' }, formatPercent(ratio)),
    h(
      'svg',
      { class: 'share-bar', viewBox: '0 0 100 10', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
      h('rect', { class: 'share-ground', width: 100, height: 10 }),
      h('rect', { class: 'share-measured', width: (ratio ?? 0) * 100, height: 10 }),
      expected === null
        ? null
        : h('rect', { class: 'share-expected', x: Math.min(expected * 100, 98.5) - 0.75, width: 1.5, height: 10 }),
    ),
    h('small', null, expected === null ? '' : `by weight ${formatPercent(expected)}`),
  );
}
