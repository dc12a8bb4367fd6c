/** What has to be seen before all else: no connection, a token that is wanted, a refused configuration, panic. */
import { type ComponentChild, h } from 'preact';
import { formatDuration, formatTime } from './format.ts';
import { markIcon } from './icons.ts';
import type { Mark } from './marks.ts';
import type { PageState } from './state.ts';

interface BannersProps {
  state: PageState;
  notice: string;
  /** By this machine's clock. */
  nowMs: number;
  onRetry: () => void;
  onToken: () => void;
  onCloseNotice: () => void;
}

export function BannersView({ state, notice, nowMs, onRetry, onToken, onCloseNotice }: BannersProps): ComponentChild {
  const { connection, system } = state;
  const banners: ComponentChild[] = [];
  if (connection.phase === 'lost') {
    const lostFor = formatDuration(nowMs - (connection.lostAtMs ?? nowMs));
    const seen = system === null ? '' : ` What you see is of ${formatTime(new Date(system.at))}.`;
    banners.push(
      banner(
        'down',
        'connection',
        `Connection to the gateway lost for ${lostFor}. ${connection.reason}${seen} It is tried again by itself.`,
        {
          label: 'Try now',
          onClick: onRetry,
        },
      ),
    );
  }
  if (connection.phase === 'refused') {
    banners.push(
      banner('down', 'token', `The gateway wants the admin token. ${connection.reason}`, {
        label: 'Enter token',
        onClick: onToken,
      }),
    );
  }
  if (system?.isPanic) {
    banners.push(
      banner(
        'degraded',
        'panic',
        'Panic: too few targets are left, so probes are not believed and every target gets requests.',
      ),
    );
  }
  const lastError = system?.config.lastError ?? null;
  if (lastError !== null) {
    const at = formatTime(new Date(lastError.at));
    banners.push(
      banner(
        'degraded',
        'config',
        `The change of the configuration at ${at} was refused; what was there before goes on. ${lastError.reason}`,
      ),
    );
  }
  if (notice !== '') banners.push(banner('up', 'notice', notice, { label: 'Close', onClick: onCloseNotice }));
  return h('div', { class: 'banners', role: 'status' }, banners);
}

function banner(
  mark: Mark,
  name: string,
  text: string,
  action?: { label: string; onClick: () => void },
): ComponentChild {
  return h(
    'div',
    { key: name, class: `banner banner-${mark}`, 'data-banner': name },
    markIcon(mark),
    h('p', null, text),
    action === undefined ? null : h('button', { type: 'button', onClick: action.onClick }, action.label),
  );
}
