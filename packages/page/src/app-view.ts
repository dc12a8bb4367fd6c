/** The whole page, from its state. */
import type { AdminAccess } from '@causeway/protocol/admin/model.ts';
import { Component, type ComponentChild, h } from 'preact';
import { BannersView } from './banners-view.ts';
import { ChangeDialog, type DialogRequest } from './change-dialog.ts';
import { ClustersView } from './clusters-view.ts';
import { ConsumersView } from './consumers-view.ts';
import { CurvesView } from './curves-view.ts';
import { formatDuration } from './format.ts';
import { GraphView } from './graph-view.ts';
import { keyIcon, logo, themeIcon } from './icons.ts';
import { ListenersView } from './listeners-view.ts';
import { RegionsView } from './regions-view.ts';
import type { PageState } from './state.ts';
import type { Store } from './store.ts';
import { Announcer, STATE_WORDS, SummaryView } from './summary-view.ts';
import { applyTheme, currentTheme, onThemeChange, toggleTheme } from './theme.ts';
import { TimelineView } from './timeline-view.ts';

interface AppProps {
  state: PageState;
  store: Store;
}

interface AppState {
  /** The subject of the open dialog. */
  request: DialogRequest | null;
  /** Counts dialogs: the same one may open again before the previous one has reported its end. */
  dialogCount: number;
  notice: string;
}

/** While the connection is lost nothing else redraws the page, and the age that it shows must grow. */
const TICK_MS = 1_000;

export class AppView extends Component<AppProps, AppState> {
  override state: AppState = { request: null, dialogCount: 0, notice: '' };
  #ticks: ReturnType<typeof setInterval> | undefined;

  override componentDidMount(): void {
    onThemeChange(() => this.forceUpdate());
    // The system's choice before this component listened.
    applyTheme();
    this.#ticks = setInterval(() => {
      if (this.props.state.connection.phase === 'lost') this.forceUpdate();
    }, TICK_MS);
  }

  override componentDidUpdate(): void {
    const { system, connection } = this.props.state;
    const isWell = connection.phase === 'live' && system?.state === 'up';
    const words = connection.phase === 'lost' || system === null ? 'Not connected' : STATE_WORDS[system.state];
    // Visible in the browser's tabs.
    document.title = isWell ? 'Causeway' : `${words}: Causeway`;
  }

  override componentWillUnmount(): void {
    clearInterval(this.#ticks);
  }

  readonly #ask = (request: DialogRequest): void =>
    this.setState(({ dialogCount }) => ({ request, dialogCount: dialogCount + 1 }));

  #onDialogClosed(dialog: number, done: string | undefined): void {
    this.setState(({ request, dialogCount, notice }) => ({
      request: dialog === dialogCount ? null : request,
      notice: done ?? notice,
    }));
  }

  override render(): ComponentChild {
    const { state, store } = this.props;
    const { request, dialogCount, notice } = this.state;
    const { system, connection } = state;
    // Durations stop at the time of the last message.
    const nowMs = system === null ? Date.now() : Date.parse(system.at);
    return h(
      'div',
      { class: `page page-${connection.phase}` },
      h('a', { class: 'skip', href: '#main' }, 'Skip to content'),
      this.#header(),
      h(BannersView, {
        state,
        notice,
        nowMs: Date.now(),
        onRetry: store.retryNow,
        onToken: () => this.#ask({ kind: 'token' }),
        onCloseNotice: () => this.setState({ notice: '' }),
      }),
      h('main', { id: 'main', class: 'main' }, system === null ? this.#waiting() : this.#panels(nowMs)),
      request === null
        ? null
        : h(ChangeDialog, {
            key: dialogCount,
            request,
            system,
            store,
            onClose: (done?: string) => this.#onDialogClosed(dialogCount, done),
          }),
    );
  }

  #panels(nowMs: number): ComponentChild[] {
    const { state } = this.props;
    const { system, token, connection, access } = state;
    if (system === null) return [];
    return [
      h(Announcer, { key: 'announcer', system }),
      h(SummaryView, { key: 'summary', system }),
      h(GraphView, { key: 'graph', system, nowMs }),
      h(RegionsView, { key: 'regions', system, access, nowMs, onAsk: this.#ask }),
      system.clusters === null
        ? null
        : h(ClustersView, {
            key: 'clusters',
            clusters: system.clusters,
            adminAccess: system.adminAccess,
            access,
            nowMs,
            onAsk: this.#ask,
          }),
      h(CurvesView, {
        key: 'curves',
        history: state.history,
        events: state.events,
        regions: system.regions.map(({ name }) => name),
        theme: currentTheme(),
      }),
      h(ConsumersView, {
        key: 'consumers',
        system,
        token,
        isLive: connection.phase === 'live',
        nowMs,
        lastMove: lastMoveOf(state),
      }),
      h(TimelineView, { key: 'timeline', events: state.events }),
      h(ListenersView, { key: 'listeners', system, nowMs }),
    ];
  }

  #waiting(): ComponentChild {
    const text =
      this.props.state.connection.phase === 'connecting' ? 'Connecting to the gateway…' : 'Nothing to show yet.';
    return h('p', { class: 'panel waiting' }, text);
  }

  #header(): ComponentChild {
    const { system, connection, token, access } = this.props.state;
    const caller = callerText(token, access);
    const isDark = currentTheme() === 'dark';
    const phase = { connecting: 'connecting', live: 'live', lost: 'not connected', refused: 'token required' }[
      connection.phase
    ];
    const upFor =
      system === null ? '' : `up for ${formatDuration(Date.parse(system.at) - Date.parse(system.gateway.startedAt))}`;
    return h(
      'header',
      { class: 'top' },
      logo(),
      h('h1', null, 'Causeway'),
      h('span', { class: 'top-gateway' }, system === null ? '' : `${system.gateway.name}, ${upFor}`),
      h(
        'span',
        { class: `phase phase-${connection.phase}`, 'data-testid': 'phase' },
        h('i', { 'aria-hidden': 'true' }),
        phase,
      ),
      h(
        'button',
        {
          type: 'button',
          class: 'quiet',
          'aria-label': caller === 'Token' ? 'Admin token' : `Admin token: ${caller}`,
          onClick: () => this.#ask({ kind: 'token' }),
        },
        keyIcon(),
        h('span', { 'data-testid': 'caller' }, caller),
      ),
      h(
        'button',
        {
          type: 'button',
          class: 'quiet',
          'aria-label': isDark ? 'Light colours' : 'Dark colours',
          title: isDark ? 'Light colours' : 'Dark colours',
          onClick: () => {
            toggleTheme();
            this.forceUpdate();
          },
        },
        themeIcon(!isDark),
      ),
    );
  }
}

function callerText(token: string | null, access: AdminAccess | null): string {
  if (access?.name != null) return `${access.name}, ${access.role}`;
  return token === null ? 'Token' : 'Token set';
}

/** The key of the newest event that may have moved consumers. */
function lastMoveOf({ events }: PageState): string {
  return events.find(({ event }) => event.type === 'adoption' || event.type === 'health')?.key ?? '';
}
