/** Draws the graph: edges as SVG paths as wide as their traffic, cards, lanes, and the same data as a table. */

import type { System } from '@causeway/protocol/admin/model.ts';
import { type ComponentChild, Fragment, h } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { formatAge, formatDuration } from './format.ts';
import type { Box } from './graph-edges.ts';
import { type Edge, type GraphLayout, LABEL_LINE_HEIGHT, labelBox, layoutGraph } from './graph-layout.ts';
import { type Card, type Graph, graphOf, type Lane, type Link } from './graph-model.ts';
import { markBadge } from './icons.ts';
import type { Condition } from './marks.ts';
import { memo } from './memo.ts';
import { tableHead } from './table-head.ts';

/** Width before the first measurement. */
const FIRST_WIDTH_PX = 1_180;
/** Cards are drawn for this font size and grow with it. */
const FONT_PX = 16;

interface GraphProps {
  system: System;
  nowMs: number;
}

export const GraphView = memo(({ system, nowMs }: GraphProps): ComponentChild => {
  const holder = useRef<HTMLDivElement>(null);
  const width = useWidth(holder);
  const graph = graphOf(system);
  const layout = layoutGraph(graph, width);
  return h(
    'section',
    { class: 'panel graph-panel', 'aria-labelledby': 'graph-title' },
    h(
      'div',
      { class: 'panel-head' },
      h('h2', { id: 'graph-title' }, 'Where requests go'),
      legend(graph.kafkas.length > 1),
    ),
    h(
      'div',
      // A scrolling element must be reachable by keyboard.
      {
        class: 'graph-scroll',
        ref: holder,
        ...(layout.width > width ? { tabIndex: 0, role: 'group', 'aria-label': 'Graph' } : {}),
      },
      drawing(layout, nowMs),
    ),
    h(
      'details',
      { class: 'graph-table' },
      h('summary', null, 'Show as a table'),
      h(
        'div',
        { class: 'table-scroll', tabIndex: 0, role: 'region', 'aria-label': 'Edges of the graph' },
        edgeTable(graph, nowMs),
      ),
    ),
  );
});

/** The width of the element, in units of the root font size, as it changes. */
function useWidth(holder: { current: HTMLDivElement | null }): number {
  const [width, setWidth] = useState(FIRST_WIDTH_PX);
  useEffect(() => {
    const element = holder.current;
    if (element === null) return;
    const observer = new ResizeObserver(([entry]) => {
      const fontPx = Number.parseFloat(getComputedStyle(document.documentElement).fontSize) || FONT_PX;
      if (entry !== undefined) setWidth((entry.contentRect.width * FONT_PX) / fontPx);
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [holder.current]);
  return width;
}

function legend(hasReplication: boolean): ComponentChild {
  return h(
    'div',
    { class: 'legend', 'aria-hidden': 'true' },
    h('span', null, h('i', { class: 'swatch swatch-traffic' }), 'traffic, wider for more'),
    h('span', null, h('i', { class: 'swatch swatch-redirect' }), 'redirected'),
    h('span', null, h('i', { class: 'swatch swatch-idle' }), 'cut off'),
    hasReplication ? h('span', null, h('i', { class: 'swatch swatch-replication' }), 'replication') : null,
  );
}

function drawing({ width, height, cards, lanes, edges, isTall }: GraphLayout, nowMs: number): ComponentChild {
  // Later elements cover earlier ones: redirects come last.
  const sorted = [...edges].sort((a, b) => Number(a.link.kind === 'redirect') - Number(b.link.kind === 'redirect'));
  return h(
    'svg',
    {
      class: isTall ? 'graph graph-tall' : 'graph',
      viewBox: `-4 -4 ${width + 8} ${height + 8}`,
      'aria-hidden': 'true',
      'data-testid': 'graph',
      // A tall graph with many regions is wider than the page, and scrolls.
      ...(isTall ? { style: { minWidth: `${width / FONT_PX}rem` } } : {}),
    },
    h('defs', null, arrowHead('redirect'), arrowHead('replication')),
    lanes.map(({ lane, box }) => h(Fragment, { key: lane.region }, laneView(lane, box, nowMs))),
    sorted.map(({ link, path, strokeWidth }) =>
      h(
        'path',
        {
          key: link.id,
          class: `edge edge-${link.kind} edge-${link.mark}`,
          d: path,
          'stroke-width': strokeWidth.toFixed(1),
          'data-edge': link.id,
          ...(link.kind === 'traffic' ? {} : { 'marker-end': `url(#arrow-${link.kind})` }),
        },
        tooltip(link),
      ),
    ),
    cards.map(({ card, box }) => h(Fragment, { key: card.id }, cardView(card, box, nowMs))),
    sorted.filter(({ link }) => link.label.length > 0).map(edgeLabel),
  );
}

function tooltip({ note }: Link): ComponentChild {
  return note === undefined ? null : h('title', null, note);
}

/** Its size does not depend on the edge's width. */
function arrowHead(kind: 'redirect' | 'replication'): ComponentChild {
  const marker = {
    id: `arrow-${kind}`,
    viewBox: '0 0 10 10',
    refX: 9,
    refY: 5,
    markerUnits: 'userSpaceOnUse',
    markerWidth: 16,
    markerHeight: 16,
    orient: 'auto',
  };
  return h('marker', marker, h('path', { class: `arrow-${kind}`, d: 'M0 0 10 5 0 10z' }));
}

function foreign(box: Box, content: ComponentChild): ComponentChild {
  return h('foreignObject', { x: box.x, y: box.y, width: box.width, height: box.height }, content);
}

function laneView(lane: Lane, box: Box, nowMs: number): ComponentChild[] {
  const { mark, words } = lane.condition;
  return [
    h('rect', { class: `lane lane-${mark}`, ...box, rx: 14 }),
    foreign(
      box,
      h(
        'div',
        { class: 'lane-head', 'data-region': lane.region, 'data-state': words },
        h('div', { class: 'lane-title' }, h('b', null, lane.region), markBadge(mark, wordsFor(lane.condition, nowMs))),
        h('div', { class: 'lane-reason' }, lane.condition.reason === '' ? lane.fact : lane.condition.reason),
      ),
    ),
  ];
}

function wordsFor({ words, since }: Condition, nowMs: number): string {
  return since === null ? words : `${words} for ${formatDuration(nowMs - Date.parse(since))}`;
}

/** For cards: one unit of time is enough for a healthy part. */
function shortWordsFor(condition: Condition, nowMs: number): string {
  const { mark, words, since } = condition;
  if (mark !== 'up' || since === null) return wordsFor(condition, nowMs);
  return `${words} for ${formatAge(nowMs - Date.parse(since))}`;
}

function cardView(card: Card, box: Box, nowMs: number): ComponentChild {
  const { condition } = card;
  return foreign(
    box,
    h(
      'div',
      { class: `card card-${condition?.mark ?? 'plain'}`, 'data-card': card.id },
      h('div', { class: 'card-title' }, h('b', null, card.title), h('span', null, card.subtitle)),
      condition === null ? null : markBadge(condition.mark, shortWordsFor(condition, nowMs)),
      condition !== null && condition.reason !== ''
        ? h('div', { class: 'card-reason', title: condition.reason }, condition.reason)
        : h('div', { class: 'card-fact' }, card.fact),
    ),
  );
}

function edgeLabel(edge: Edge): ComponentChild {
  const { link, label } = edge;
  const box = labelBox(edge);
  return h(
    'g',
    { key: `label ${link.id}`, class: `edge-label edge-label-${link.kind} edge-label-${link.mark}` },
    tooltip(link),
    h('rect', { ...box, rx: 6 }),
    link.label.map((line, index) =>
      h(
        'text',
        { key: String(index), x: label.x, y: box.y + 4 + LABEL_LINE_HEIGHT * (index + 0.76), 'text-anchor': 'middle' },
        line,
      ),
    ),
  );
}

function edgeTable(graph: Graph, nowMs: number): ComponentChild {
  const all = [
    graph.clients,
    graph.tier1,
    ...graph.lanes.flatMap((lane) => [...lane.gateways, ...lane.bridges]),
    ...graph.kafkas,
  ];
  const regionOf = (id: string): string => {
    const lane = graph.lanes.find(({ gateways, bridges }) => [...gateways, ...bridges].some((card) => card.id === id));
    return lane === undefined ? '' : `${lane.region} `;
  };
  const nameOf = (id: string): string => `${regionOf(id)}${all.find((card) => card.id === id)?.title ?? id}`;
  return h(
    'table',
    null,
    tableHead(['From', 'To', 'Traffic', 'State of the receiver']),
    h(
      'tbody',
      null,
      graph.links.map(({ id, kind, from, to, label, note }) => {
        const condition = all.find((card) => card.id === to)?.condition ?? null;
        const figures = label.length > 0 ? label.join(', ') : 'not known';
        const traffic = note === undefined ? figures : `${figures} (${note})`;
        return h(
          'tr',
          { key: id },
          h('td', null, nameOf(from)),
          h('td', null, nameOf(to)),
          h('td', null, kind === 'redirect' ? `redirected: ${traffic}` : traffic),
          h(
            'td',
            null,
            condition === null ? '' : [wordsFor(condition, nowMs), condition.reason].filter(Boolean).join(': '),
          ),
        );
      }),
    ),
  );
}
