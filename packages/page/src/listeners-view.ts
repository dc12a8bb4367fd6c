/** Where the gateway listens: protocols, certificates and open connections, for clients and for operators. */
import type { Listener, System } from '@causeway/protocol/admin/model.ts';
import { type ComponentChild, h } from 'preact';
import { formatCount, formatDuration } from './format.ts';
import { markBadge } from './icons.ts';
import { memo } from './memo.ts';
import { tableHead } from './table-head.ts';

const HEADS = ['Listener', 'Address', 'Protocols', 'Certificate', 'Connections'];

export const ListenersView = memo(({ system, nowMs }: { system: System; nowMs: number }): ComponentChild => {
  const { clients, admin } = system;
  return h(
    'section',
    { class: 'panel listeners-panel', 'aria-labelledby': 'listeners-title' },
    h('div', { class: 'panel-head' }, h('h2', { id: 'listeners-title' }, 'Listeners')),
    h(
      'table',
      { class: 'cards-on-phone' },
      tableHead(HEADS),
      h(
        'tbody',
        null,
        [...clients.listeners, admin].map((listener) => row(listener, nowMs)),
      ),
    ),
  );
});

function row({ name, url, protocols, tls, connectionCount }: Listener, nowMs: number): ComponentChild {
  return h(
    'tr',
    { key: name, 'data-listener': name },
    h('th', { scope: 'row' }, h('span', { class: 'region-name' }, name)),
    h('td', { 'data-head': 'Address' }, url),
    h('td', { 'data-head': 'Protocols' }, protocols.join(', ')),
    h('td', { 'data-head': 'Certificate' }, tls === null ? 'none: plain HTTP' : certificate(tls, nowMs)),
    h('td', { 'data-head': 'Connections', class: 'number' }, formatCount(connectionCount)),
  );
}

function certificate({ names, notAfter, expiresSoon, problem }: NonNullable<Listener['tls']>, nowMs: number) {
  const leftMs = Date.parse(notAfter) - nowMs;
  // With a problem, the files before are in use.
  const which = problem === null ? '' : 'the one in use is ';
  const life = leftMs > 0 ? `${which}valid for ${formatDuration(leftMs)}` : `expired ${formatDuration(-leftMs)} ago`;
  const isBad = problem !== null || expiresSoon;
  return [isBad ? markBadge('down', life) : life, h('span', { class: 'reason' }, problem ?? names.join(', '))];
}
