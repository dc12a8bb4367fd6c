/** Banners on top of the page: lost connection, required token, refused configuration, panic, certificates, names in DNS. */
import type { System } from '@causeway/protocol/admin/model.ts';
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
    const seen = system === null ? '' : ` This page shows the state at ${formatTime(new Date(system.at))}.`;
    banners.push(
      banner(
        'down',
        'connection',
        `Connection to the gateway lost for ${lostFor}. ${connection.reason}${seen} The page keeps trying to reconnect.`,
        {
          label: 'Try now',
          onClick: onRetry,
        },
      ),
    );
  }
  if (connection.phase === 'refused') {
    banners.push(
      banner('down', 'token', `The gateway requires a token. ${connection.reason}`, {
        label: 'Enter token',
        onClick: onToken,
      }),
    );
  }
  banners.push(...(system === null ? [] : [...certificateBanners(system, nowMs), ...nameBanners(system)]));
  if (system?.isPanic) {
    banners.push(
      banner(
        'degraded',
        'panic',
        'Panic: too few targets are available, so the gateway ignores probes and sends requests to every target.',
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
        `The configuration change at ${at} was refused; the gateway keeps the previous configuration. ${lastError.reason}`,
      ),
    );
  }
  if (notice !== '') banners.push(banner('up', 'notice', notice, { label: 'Close', onClick: onCloseNotice }));
  return h('div', { class: 'banners', role: 'status' }, banners);
}

/** A certificate that cannot be used, has expired, or expires soon. */
function certificateBanners({ clients, admin, upstreamTls }: System, nowMs: number): ComponentChild[] {
  const all = [...clients.listeners, admin].map(({ name, tls }) => ({ of: `listener ${name}`, tls }));
  return [...all, { of: 'upstream.tls', tls: upstreamTls }].flatMap(({ of, tls }) => {
    if (tls === null) return [];
    const { notAfter, expiresSoon, problem } = tls;
    if (problem !== null) return [banner('down', `certificate ${of}`, `Certificate of ${of}: ${problem}`)];
    if (!expiresSoon || notAfter === null) return [];
    const left = formatDuration(Date.parse(notAfter) - nowMs);
    return [banner('down', `certificate ${of}`, `The certificate of ${of} expires in ${left}, at ${notAfter}.`)];
  });
}

/** A name for which DNS has no addresses, or too many. */
function nameBanners({ regions }: System): ComponentChild[] {
  const texts = regions.flatMap(({ dnsNames }) =>
    dnsNames.flatMap(({ name, problem, since, addressCount }) => {
      if (problem === null) return [];
      const when = since === null ? '' : ` since ${formatTime(new Date(since))}`;
      const rest = addressCount === 0 ? 'It has had no addresses yet.' : `${addressCount} of its addresses are in use.`;
      return [`The DNS name ${name} ${problem}${when}. ${rest}`];
    }),
  );
  return [...new Set(texts)].map((text) => banner('degraded', text, text));
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
