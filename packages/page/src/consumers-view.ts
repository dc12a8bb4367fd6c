/** The consumers and their homes: the gateway filters, the page shows one screenful at a time. */

import type { Consumer, ConsumerPage, System } from '@causeway/protocol/admin/model.ts';
import { Component, type ComponentChild, h } from 'preact';
import { type ConsumerQuestion, fetchConsumers } from './api-client.ts';
import { formatAge, formatCount, plural } from './format.ts';
import { tableHead } from './table-head.ts';

/** Rows of one page of the list: other rows cost the page nothing. */
const PAGE_ROWS = 50;
const REFRESH_MS = 2_000;
/** Delay from the last keystroke to the request. */
const TYPING_MS = 150;
/** Delay from an event that moved consumers to the request: moves come in bursts. */
const MOVING_MS = 200;
/** A consumer that moved within this time is marked. */
const LATELY_MS = 60_000;

interface ConsumersProps {
  system: System;
  token: string | null;
  isLive: boolean;
  nowMs: number;
  /** Changes when homes may have changed: the list is then loaded at once. */
  lastMove: string;
}

interface ConsumersState {
  filter: string;
  region: string;
  offset: number;
  page: ConsumerPage | null;
  failure: string;
}

export class ConsumersView extends Component<ConsumersProps, ConsumersState> {
  override state: ConsumersState = { filter: '', region: '', offset: 0, page: null, failure: '' };
  #timer: ReturnType<typeof setTimeout> | undefined;
  #question: AbortController | undefined;

  override componentDidMount(): void {
    this.#askIn(0);
  }

  override componentDidUpdate(before: ConsumersProps): void {
    const { token, isLive, lastMove } = this.props;
    if (before.token !== token || (isLive && !before.isLive)) this.#askIn(0);
    else if (before.lastMove !== lastMove) this.#askIn(MOVING_MS);
  }

  override shouldComponentUpdate(props: ConsumersProps, state: ConsumersState): boolean {
    const { system, token, isLive } = this.props;
    return state !== this.state || props.system !== system || props.token !== token || props.isLive !== isLive;
  }

  override componentWillUnmount(): void {
    clearTimeout(this.#timer);
    this.#question?.abort();
  }

  #askIn(delayMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#ask(), delayMs);
  }

  async #ask(): Promise<void> {
    this.#question?.abort();
    if (!this.props.isLive || document.visibilityState === 'hidden') return this.#askIn(REFRESH_MS);
    const question = new AbortController();
    this.#question = question;
    const { filter, region, offset } = this.state;
    const asked: ConsumerQuestion = { filter, region, offset, limit: PAGE_ROWS };
    try {
      const page = await fetchConsumers(asked, this.props.token, question.signal);
      // The list may have become shorter than the current offset.
      const last = Math.max(0, Math.ceil(page.matching / PAGE_ROWS) - 1) * PAGE_ROWS;
      this.setState({ page, failure: '', offset: Math.min(offset, last) });
      this.#askIn(offset > last ? 0 : REFRESH_MS);
    } catch (error) {
      if (question.signal.aborted) return;
      this.setState({ failure: error instanceof Error ? error.message : String(error) });
      this.#askIn(REFRESH_MS);
    }
  }

  readonly #turn = (change: Partial<ConsumersState>, delayMs = 0): void => {
    this.setState(change);
    this.#askIn(delayMs);
  };

  override render(): ComponentChild {
    const { system, nowMs } = this.props;
    const { page, failure, filter, region, offset } = this.state;
    return h(
      'section',
      { class: 'panel consumers-panel', 'aria-labelledby': 'consumers-title' },
      h(
        'div',
        { class: 'panel-head' },
        h('h2', { id: 'consumers-title' }, 'Consumers'),
        h(
          'div',
          { class: 'filters' },
          h('input', {
            type: 'search',
            placeholder: 'Filter by group, principal or home',
            'aria-label': 'Filter consumers by group, instance, principal or home',
            value: filter,
            onInput: ({ currentTarget }: Event) =>
              this.#turn({ filter: (currentTarget as HTMLInputElement).value, offset: 0 }, TYPING_MS),
          }),
          h(
            'select',
            {
              'aria-label': 'Region of the consumers',
              value: region,
              onChange: ({ currentTarget }: Event) =>
                this.#turn({ region: (currentTarget as HTMLSelectElement).value, offset: 0 }),
            },
            h('option', { value: '' }, 'All regions'),
            system.regions.map(({ name }) => h('option', { key: name, value: name }, name)),
          ),
        ),
      ),
      failure === '' ? null : h('p', { class: 'hint hint-bad', role: 'status' }, failure),
      (page?.incomplete ?? []).map(({ region: name, reason }) =>
        h('p', { key: name, class: 'hint' }, `Consumers in ${name} may be missing here: ${reason}.`),
      ),
      page === null ? h('p', { class: 'hint' }, 'Loading from the bridges…') : consumerTable(page, nowMs),
      page === null ? null : this.#pager(page, offset),
    );
  }

  #pager(page: ConsumerPage, offset: number): ComponentChild {
    const last = Math.min(offset + PAGE_ROWS, page.matching);
    const all = page.matching === page.total ? '' : ` of ${plural(page.total, 'consumer')}`;
    const text =
      page.matching === 0
        ? `None${all}`
        : `${formatCount(offset + 1)} to ${formatCount(last)} of ${formatCount(page.matching)}${all}`;
    return h(
      'div',
      { class: 'pager' },
      h('span', { role: 'status', 'data-testid': 'consumer-count' }, text),
      h(
        'button',
        {
          type: 'button',
          disabled: offset === 0,
          onClick: () => this.#turn({ offset: Math.max(0, offset - PAGE_ROWS) }),
        },
        'Previous',
      ),
      h(
        'button',
        { type: 'button', disabled: last >= page.matching, onClick: () => this.#turn({ offset: offset + PAGE_ROWS }) },
        'Next',
      ),
    );
  }
}

const PRINCIPAL = 'Principal';
const HEADS = ['Group', 'Instance', PRINCIPAL, 'Home', 'Here for', 'Last poll', 'Lag', 'Moves', 'State'];
/** Of a system that authenticates no clients. */
const HEADS_WITHOUT_PRINCIPAL = HEADS.filter((head) => head !== PRINCIPAL);

function consumerTable({ consumers, total }: ConsumerPage, nowMs: number): ComponentChild {
  if (consumers.length === 0) {
    return h('p', { class: 'hint' }, total === 0 ? 'There are no consumers.' : 'No consumer matches.');
  }
  const hasPrincipals = consumers.some(({ principal }) => principal !== null);
  const heads = hasPrincipals ? HEADS : HEADS_WITHOUT_PRINCIPAL;
  return h(
    'div',
    { class: 'table-scroll', tabIndex: 0, role: 'region', 'aria-label': 'Table of consumers' },
    h(
      'table',
      { class: 'consumers cards-on-phone' },
      tableHead(heads),
      h(
        'tbody',
        null,
        consumers.map((consumer) => consumerRow(consumer, heads, nowMs)),
      ),
    ),
  );
}

function consumerRow(consumer: Consumer, heads: readonly string[], nowMs: number): ComponentChild {
  const { group, instance, principal, home, adoptions, lastPollAt, lag } = consumer;
  const hereMs = nowMs - Date.parse(consumer.since);
  const hasMoved = adoptions > 0 && hereMs < LATELY_MS;
  const texts: Readonly<Record<string, string>> = {
    Group: group,
    Instance: instance,
    [PRINCIPAL]: principal ?? '–',
    Home: home,
    'Here for': formatAge(hereMs),
    'Last poll': lastPollAt === null ? 'none yet' : `${formatAge(nowMs - Date.parse(lastPollAt))} ago`,
    Lag: lag === null ? '–' : formatCount(lag),
    Moves: formatCount(adoptions),
    State: consumer.state,
  };
  return h(
    'tr',
    { key: `${group}/${instance}`, class: hasMoved ? 'has-moved' : '' },
    heads.map((head) => {
      const text = texts[head] ?? '';
      const tag = head === 'Home' && hasMoved ? h('span', { class: 'tag' }, 'moved') : null;
      return h(
        'td',
        { key: head, class: `consumer-${head.toLowerCase().replace(' ', '-')}`, 'data-head': head, title: text },
        text,
        tag,
      );
    }),
  );
}
