/** The summary: the system's state in one sentence and a few figures. */

import type { System } from '@causeway/protocol/admin/model.ts';
import { Component, type ComponentChild, h } from 'preact';
import { formatCount, formatMs, formatRate } from './format.ts';
import { markIcon } from './icons.ts';
import { memo } from './memo.ts';

export const STATE_WORDS = { up: 'Up', degraded: 'Degraded', down: 'Down' } as const;

export const SummaryView = memo(({ system }: { system: System }): ComponentChild => {
  const { clients, consumers, retryBudget, state } = system;
  return h(
    'section',
    { class: `panel summary summary-${state}`, 'aria-label': 'State of the system' },
    h(
      'div',
      { class: 'summary-sentence' },
      markIcon(state),
      h(
        'div',
        null,
        h('span', { class: 'summary-state' }, STATE_WORDS[state]),
        h('p', { 'data-testid': 'summary' }, system.summary),
      ),
    ),
    h(
      'dl',
      { class: 'tiles' },
      tile('Requests', formatRate(clients.rates.requestsPerSecond), 'per second'),
      tile('Errors', formatRate(clients.rates.errorsPerSecond), 'per second', clients.rates.errorsPerSecond >= 0.05),
      tile('p99', formatMs(clients.rates.p99Ms), 'without polls'),
      tile('Consumers', formatCount(consumers.count), 'known here'),
      tile('Connections', formatCount(clients.connectionCount), 'of clients'),
      tile(
        'Retries',
        formatCount(retryBudget.usedCount),
        `${formatCount(retryBudget.remainingCount)} left`,
        retryBudget.remainingCount === 0,
      ),
    ),
  );
});

function tile(name: string, value: string, unit: string, isBad = false): ComponentChild {
  return h(
    'div',
    { class: isBad ? 'tile is-bad' : 'tile' },
    h('dt', null, name),
    h('dd', null, h('b', null, value), h('small', null, unit)),
  );
}

/** Announces changes to screen readers, once: only a change of state repeats the sentence. */
export function Announcer({ system }: { system: System }): ComponentChild {
  const regions = system.regions.map(({ name, state, isDrained }) => `${name} ${state} ${isDrained}`);
  const modes = system.clusters?.members.map(({ name, mode }) => `${name} ${mode}`) ?? [];
  const states = [system.state, ...regions, system.clusters?.active, ...modes];
  return h(Announcement, {
    key: 'announcement',
    about: states.join(),
    text: `${STATE_WORDS[system.state]}. ${system.summary}`,
  });
}

interface AnnouncementProps {
  about: string;
  text: string;
}

class Announcement extends Component<AnnouncementProps> {
  override shouldComponentUpdate(props: AnnouncementProps): boolean {
    return props.about !== this.props.about;
  }

  override render(): ComponentChild {
    return h('p', { class: 'for-readers', 'aria-live': 'polite', role: 'status' }, this.props.text);
  }
}
