/** The time line: events, newest first, all or of one topic. */
import { Component, type ComponentChild, h } from 'preact';
import { describeEvent, type EventTopic } from './event-text.ts';
import { formatTime } from './format.ts';
import { markIcon } from './icons.ts';
import type { KeyedEvent } from './state.ts';

const SHOWN_EVENTS = 100;

const TOPICS: { topic: EventTopic | 'all'; label: string }[] = [
  { topic: 'all', label: 'All' },
  { topic: 'health', label: 'Health' },
  { topic: 'traffic', label: 'Traffic' },
  { topic: 'consumers', label: 'Consumers' },
  { topic: 'config', label: 'Configuration' },
];

interface TimelineProps {
  events: readonly KeyedEvent[];
}

interface TimelineState {
  topic: EventTopic | 'all';
}

export class TimelineView extends Component<TimelineProps, TimelineState> {
  override state: TimelineState = { topic: 'all' };

  override shouldComponentUpdate(props: TimelineProps, state: TimelineState): boolean {
    return props.events !== this.props.events || state.topic !== this.state.topic;
  }

  override render(): ComponentChild {
    const { topic } = this.state;
    const shown = this.props.events
      .map(({ key, event }) => ({ key, event, text: describeEvent(event) }))
      .filter(({ text }) => topic === 'all' || text.topic === topic)
      .slice(0, SHOWN_EVENTS);
    return h(
      'section',
      { class: 'panel timeline-panel', 'aria-labelledby': 'timeline-title' },
      h('div', { class: 'panel-head' }, h('h2', { id: 'timeline-title' }, 'Events'), this.#topics()),
      h(
        'ol',
        { class: 'timeline', tabIndex: 0, 'aria-labelledby': 'timeline-title' },
        shown.length === 0 ? h('li', { class: 'hint' }, 'No events yet.') : null,
        shown.map(({ key, event, text }) =>
          h(
            'li',
            { key, 'data-event': event.type },
            h('time', { dateTime: event.at, title: event.at }, formatTime(new Date(event.at))),
            markIcon(text.mark),
            h(
              'div',
              null,
              h('b', null, text.title),
              text.detail === '' ? null : h('span', null, text.detail),
              event.gateway === undefined ? null : h('small', null, `reported by ${event.gateway}`),
            ),
          ),
        ),
      ),
    );
  }

  #topics(): ComponentChild {
    return h(
      'div',
      { class: 'topics', role: 'group', 'aria-label': 'Events shown' },
      TOPICS.map(({ topic, label }) =>
        h(
          'button',
          {
            key: topic,
            type: 'button',
            'aria-pressed': this.state.topic === topic ? 'true' : 'false',
            onClick: () => this.setState({ topic }),
          },
          label,
        ),
      ),
    );
  }
}
