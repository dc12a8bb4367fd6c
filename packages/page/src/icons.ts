/** Icons: each state has its own shape, independent of colour. */
import { type ComponentChild, h } from 'preact';
import type { Mark } from './marks.ts';

/** Shape and sign of each mark, in a box of 16 by 16. */
const SHAPES: Record<Mark, { shape: ComponentChild; sign: ComponentChild }> = {
  up: { shape: h('circle', { cx: 8, cy: 8, r: 7 }), sign: h('path', { d: 'M4.8 8.3l2.2 2.2 4.3-4.7' }) },
  degraded: {
    shape: h('path', { d: 'M8 1.2 15.4 14.2H.6z', 'stroke-linejoin': 'round' }),
    sign: h('path', { d: 'M8 5.8v4M8 11.9v.2' }),
  },
  down: {
    shape: h('path', { d: 'M5 1h6l4 4v6l-4 4H5l-4-4V5z' }),
    sign: h('path', { d: 'M5.4 5.4l5.2 5.2M10.6 5.4l-5.2 5.2' }),
  },
  drained: {
    shape: h('rect', { x: 1, y: 1, width: 14, height: 14, rx: 3 }),
    sign: h('path', { d: 'M6 4.8v6.4M10 4.8v6.4' }),
  },
  unknown: {
    shape: h('circle', { cx: 8, cy: 8, r: 7 }),
    sign: h('path', { d: 'M5.9 6.2a2.1 2.1 0 1 1 3.2 1.8c-.7.4-1.1.8-1.1 1.6M8 11.7v.2' }),
  },
};

export function markIcon(mark: Mark): ComponentChild {
  const { shape, sign } = SHAPES[mark];
  return h(
    'svg',
    { class: `icon icon-${mark}`, viewBox: '0 0 16 16', 'aria-hidden': 'true' },
    h('g', { class: 'icon-shape' }, shape),
    h('g', { class: 'icon-sign' }, sign),
  );
}

/** Icon and words, in the colour of the mark. */
export function markBadge(mark: Mark, words: string): ComponentChild {
  return h('span', { class: `badge badge-${mark}` }, markIcon(mark), h('span', null, words));
}

/** Two banks, and the way across. */
export function logo(): ComponentChild {
  return h(
    'svg',
    { class: 'logo', viewBox: '0 0 32 32', 'aria-hidden': 'true' },
    h('rect', { class: 'logo-ground', width: 32, height: 32, rx: 7 }),
    h('path', { class: 'logo-way', d: 'M4 20.5C9 12.5 23 12.5 28 20.5' }),
    h('path', { class: 'logo-pillars', d: 'M10.5 16.4V25M16 14.8V25M21.5 16.4V25' }),
  );
}

export function themeIcon(isDark: boolean): ComponentChild {
  const shape = isDark
    ? h('path', { d: 'M13.5 9.8A6 6 0 0 1 6.2 2.5 6 6 0 1 0 13.5 9.8z' })
    : h('path', {
        d: 'M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM8 1v1.6M8 13.4V15M1 8h1.6M13.4 8H15M3 3l1.2 1.2M11.8 11.8L13 13M3 13l1.2-1.2M11.8 4.2L13 3',
      });
  return h('svg', { class: 'line-icon', viewBox: '0 0 16 16', 'aria-hidden': 'true' }, shape);
}

export function keyIcon(): ComponentChild {
  return h(
    'svg',
    { class: 'line-icon', viewBox: '0 0 16 16', 'aria-hidden': 'true' },
    h('circle', { cx: 5, cy: 11, r: 3.3 }),
    h('path', { d: 'M7.4 8.6 14 2M11 5l2.4 2.4' }),
  );
}
