/** Flips of regions as vertical lines in the curves. */
import type uPlot from 'uplot';
import type { KeyedEvent } from './state.ts';

export interface Flip {
  atSeconds: number;
  isUp: boolean;
}

/** As this gateway probed them; regional gateways report targets behind them. */
export function flipsOf(events: readonly KeyedEvent[]): Flip[] {
  return events.flatMap(({ event }) =>
    event.type === 'health' && event.gateway === undefined && event.from !== 'unknown'
      ? [{ atSeconds: Date.parse(event.at) / 1_000, isUp: event.to === 'healthy' }]
      : [],
  );
}

export interface FlipColours {
  up: string;
  down: string;
}

const LINE_WIDTH = 1.5;
/** Distinguished by more than their colours. */
const DASHES = { up: [1, 3], down: [6, 3] };

export function drawFlips(plot: uPlot, flips: readonly Flip[], colours: FlipColours): void {
  const { ctx, bbox } = plot;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.lineWidth = LINE_WIDTH * ratio;
  for (const { atSeconds, isUp } of flips) {
    const x = Math.round(plot.valToPos(atSeconds, 'x', true));
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    const kind = isUp ? 'up' : 'down';
    ctx.strokeStyle = colours[kind];
    ctx.setLineDash(DASHES[kind].map((length) => length * ratio));
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}
