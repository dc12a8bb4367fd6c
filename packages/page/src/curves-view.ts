/** Curves of the last 15 minutes: requests, errors and percentiles of each region, under one cursor. */

import type { History } from '@causeway/protocol/admin/model.ts';
import { Component, type ComponentChild, h } from 'preact';
import uPlot from 'uplot';
import { drawFlips, type Flip, flipsOf } from './curve-flips.ts';
import { formatRate, formatTime } from './format.ts';
import type { Curve, KeyedEvent } from './state.ts';

interface Chart {
  curve: Curve;
  title: string;
  unit: string;
}

const CHARTS: Chart[] = [
  { curve: 'requestsPerSecond', title: 'Requests', unit: 'per second' },
  { curve: 'errorsPerSecond', title: 'Errors', unit: 'per second' },
  { curve: 'p50Ms', title: 'p50', unit: 'ms' },
  { curve: 'p99Ms', title: 'p99', unit: 'ms' },
];

/** Regions beyond this many share colours, but not dashes. */
const COLOUR_COUNT = 6;
const DASHES = [[], [7, 4], [2, 3], [10, 3, 2, 3]];

interface CurvesProps {
  history: History | null;
  events: readonly KeyedEvent[];
  regions: string[];
  theme: string;
}

export function CurvesView({ history, events, regions, theme }: CurvesProps): ComponentChild {
  const flips = flipsOf(events);
  return h(
    'section',
    { class: 'panel curves-panel', 'aria-labelledby': 'curves-title' },
    h(
      'div',
      { class: 'panel-head' },
      h('h2', { id: 'curves-title' }, 'The last 15 minutes'),
      h(
        'ul',
        { class: 'legend series-legend' },
        regions.map((name, index) => h('li', { key: name }, seriesLine(index), name)),
      ),
    ),
    h(
      'div',
      { class: 'curves' },
      // A change of regions or colours makes new plots.
      CHARTS.map((chart) =>
        h(CurveView, { key: `${chart.curve} ${theme} ${regions.join()}`, chart, history, flips, regions }),
      ),
    ),
  );
}

function seriesLine(index: number): ComponentChild {
  return h(
    'svg',
    { class: `series series-${index % COLOUR_COUNT}`, viewBox: '0 0 26 4', 'aria-hidden': 'true' },
    h('path', { d: 'M0 2h26', 'stroke-dasharray': dashOf(index).join(' ') }),
  );
}

function dashOf(index: number): number[] {
  return DASHES[index % DASHES.length] ?? [];
}

interface CurveProps {
  chart: Chart;
  history: History | null;
  flips: Flip[];
  regions: string[];
}

/** A gateway that started recently has a short history: the curves get no more room than that. */
const MIN_SPAN_SECONDS = 60;

class CurveView extends Component<CurveProps> {
  #plot: uPlot | undefined;
  #holder: HTMLDivElement | null = null;
  #observer: ResizeObserver | undefined;

  override shouldComponentUpdate(props: CurveProps): boolean {
    return props.history !== this.props.history || props.flips.length !== this.props.flips.length;
  }

  override componentDidMount(): void {
    const holder = this.#holder;
    if (holder === null) return;
    this.#plot = new uPlot(
      optionsOf(this.props, holder, () => this.props.flips),
      dataOf(this.props),
      holder,
    );
    this.#observer = new ResizeObserver(() => {
      const width = Math.floor(holder.clientWidth);
      if (width > 0 && width !== this.#plot?.width) this.#plot?.setSize({ width, height: holder.clientHeight });
    });
    this.#observer.observe(holder);
  }

  override componentDidUpdate(): void {
    this.#plot?.setData(dataOf(this.props));
  }

  override componentWillUnmount(): void {
    this.#observer?.disconnect();
    this.#plot?.destroy();
  }

  override render(): ComponentChild {
    const { chart } = this.props;
    return h(
      'figure',
      { class: 'curve' },
      h('figcaption', null, h('b', null, chart.title), ` ${chart.unit}`),
      h('div', {
        class: 'plot',
        role: 'img',
        'aria-label': this.#words(),
        ref: (element: HTMLDivElement | null) => {
          this.#holder = element;
        },
      }),
    );
  }

  /** The newest values, for screen readers. */
  #words(): string {
    const { chart, history, regions } = this.props;
    const newest = regions.map((name) => {
      const value = history?.regions[name]?.[chart.curve].at(-1) ?? null;
      return `${name} ${value === null ? 'nothing' : formatRate(value)}`;
    });
    return `${chart.title} ${chart.unit} of the last 15 minutes; now ${newest.join(', ')}`;
  }
}

function dataOf({ chart, history, regions }: CurveProps): uPlot.AlignedData {
  if (history === null) return [[], ...regions.map(() => [])];
  const empty = history.atSeconds.map(() => null);
  return [history.atSeconds, ...regions.map((name) => history.regions[name]?.[chart.curve] ?? empty)];
}

function optionsOf({ regions }: CurveProps, holder: HTMLElement, flips: () => Flip[]): uPlot.Options {
  const flipColours = { up: colourOf(holder, 'badge-up'), down: colourOf(holder, 'badge-down') };
  const ink = colourOf(holder, 'plot-ink');
  const line = colourOf(holder, 'plot-line');
  const font = `11px ${getComputedStyle(holder).fontFamily}`;
  const axis = { stroke: ink, font, grid: { stroke: line, width: 1 }, ticks: { show: false } };
  return {
    width: Math.max(holder.clientWidth, 120),
    height: holder.clientHeight,
    // Room for half of the last label on the right.
    padding: [8, 24, 0, 0],
    hooks: { draw: [(plot) => drawFlips(plot, flips(), flipColours)] },
    cursor: { sync: { key: 'causeway' }, points: { size: 7 }, drag: { x: false, y: false } },
    legend: { show: false },
    scales: {
      x: { range: (_, min, max) => [Math.min(min, max - MIN_SPAN_SECONDS), max] },
      y: { range: (_, __, max) => [0, Math.max(max * 1.1, 1)] },
    },
    axes: [
      {
        ...axis,
        space: 70,
        size: 24,
        values: (_, ticks, __, ___, stepSeconds) =>
          ticks.map((tick) => formatTime(new Date(tick * 1_000)).slice(0, stepSeconds < 60 ? 8 : 5)),
      },
      { ...axis, size: 42, space: 30, values: (_, ticks) => ticks.map(formatTick) },
    ],
    series: [
      {},
      ...regions.map((name, index) => ({
        label: name,
        stroke: colourOf(holder, `series-${index % COLOUR_COUNT}`),
        width: 2,
        dash: dashOf(index),
        points: { show: false },
      })),
    ],
  };
}

function formatTick(value: number): string {
  return value >= 10_000 ? `${value / 1_000}k` : String(value);
}

/** The colour that CSS gives a class: a canvas has no classes. */
function colourOf(holder: HTMLElement, name: string): string {
  const probe = holder.ownerDocument.createElement('i');
  probe.className = name;
  holder.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
