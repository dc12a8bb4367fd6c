/** Paths of the graph's edges and positions of their labels; rows are columns with the axes swapped. */
import type { Link } from './graph-model.ts';

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Point {
  x: number;
  y: number;
}

export interface Route {
  path: string;
  label: Point;
}

/** A point along the flow (from clients to Kafka) and across it. */
interface Place {
  along: number;
  across: number;
}

interface Extent {
  start: number;
  end: number;
  low: number;
  high: number;
  middle: number;
}

export interface StraightOptions {
  fromLane?: Box | undefined;
  toLane?: Box | undefined;
  /** Edges join at its end; otherwise they fork at its start. */
  isJoin?: boolean;
}

/** Radius of corners. */
const CORNER = 14;
/** Labels of branches keep away from the fork: Bézier's formula at 0.62 of the way. */
const LABEL_ALONG = 0.46;
const LABEL_ACROSS = 0.676;
/** Distance of a tall graph's labels below the card or lane at which the edge starts. */
const TALL_LABEL = 46;

/** In a wide graph, the label of a redirect is beside its turn, between two lanes. */
const WIDE_REDIRECT_LABEL = 76;

export class Router {
  readonly #isTall: boolean;

  constructor(isTall: boolean) {
    this.#isTall = isTall;
  }

  /** From card to card; with `lane`, to the border of the lane, which represents its cards. */
  straight(from: Box, to: Box, { fromLane, toLane, isJoin = false }: StraightOptions = {}): Route {
    const source = this.#extent(from);
    const sink = this.#extent(to);
    const isLeaving = this.#isTall && fromLane !== undefined && toLane !== fromLane;
    const isEntering = this.#isTall && toLane !== undefined && toLane !== fromLane;
    const start = { along: isLeaving ? this.#extent(fromLane).end : source.end, across: source.middle };
    const end = { along: isEntering ? this.#extent(toLane).start : sink.start, across: sink.middle };
    const length = end.along - start.along;
    const label = this.#labelBetween(start, end, isJoin);
    const middle = start.along + length / 2;
    const bends = [{ along: middle, across: start.across }, { along: middle, across: end.across }, end];
    return {
      path: `M${this.#text(start)} C${bends.map((place) => this.#text(place)).join(' ')}`,
      label: this.#point(label),
    };
  }

  /** Away from forks and joins; halfway along a straight edge. */
  #labelBetween(start: Place, end: Place, isJoin: boolean): Place {
    const length = end.along - start.along;
    const breadth = end.across - start.across;
    const isStraight = Math.abs(breadth) <= 1;
    const along = isStraight ? 0.5 : isJoin ? 1 - LABEL_ALONG : LABEL_ALONG;
    const across = isStraight ? 0.5 : isJoin ? 1 - LABEL_ACROSS : LABEL_ACROSS;
    return {
      along: start.along + (this.#isTall && !isStraight ? Math.min(TALL_LABEL, length / 2) : length * along),
      across: start.across + breadth * across,
    };
  }

  /** Straight from one card of a column to another one. */
  beside(from: Box, to: Box): Route {
    const source = this.#extent(from);
    const sink = this.#extent(to);
    const isForward = sink.middle > source.middle;
    const along = (source.start + source.end) / 2;
    const start = { along, across: isForward ? source.high : source.low };
    const end = { along, across: isForward ? sink.low : sink.high };
    const label = { along, across: (start.across + end.across) / 2 };
    return { path: `M${this.#text(start)} L${this.#text(end)}`, label: this.#point(label) };
  }

  /** Starts toward the region to which the work belongs, turns before it, and ends at the region that serves it. */
  redirect({
    from,
    aimedLane,
    aimed,
    toLane,
    to,
  }: {
    from: Box;
    aimedLane: Box;
    aimed: Box;
    toLane: Box;
    to: Box;
  }): Route {
    const source = this.#extent(from);
    const sink = this.#extent(to);
    const lane = this.#extent(toLane);
    const start = { along: source.end, across: source.middle };
    const turn = { along: this.#extent(aimedLane).start - 22, across: this.#extent(aimed).middle };
    const side = Math.sign(sink.middle - turn.across);
    const end = { along: this.#isTall ? lane.start : sink.start, across: sink.middle - side * 24 };
    const middle = (start.along + turn.along) / 2;
    const at = (along: number, across: number): string => this.#text({ along, across });
    const path = [
      `M${this.#text(start)}`,
      `C${at(middle, start.across)} ${at(middle, turn.across)} ${at(turn.along - CORNER, turn.across)}`,
      `Q${this.#text(turn)} ${at(turn.along, turn.across + side * CORNER)}`,
      `L${at(turn.along, end.across - side * CORNER)}`,
      `Q${at(turn.along, end.across)} ${at(turn.along + CORNER, end.across)}`,
      `L${this.#text(end)}`,
    ].join(' ');
    const label = this.#isTall
      ? { along: turn.along, across: (turn.across + end.across) / 2 }
      : {
          along: turn.along + WIDE_REDIRECT_LABEL,
          across: side > 0 ? lane.low - LANE_GAP / 2 : lane.high + LANE_GAP / 2,
        };
    return { path, label: this.#point(label) };
  }

  #extent({ x, y, width, height }: Box): Extent {
    return this.#isTall
      ? { start: y, end: y + height, low: x, high: x + width, middle: x + width / 2 }
      : { start: x, end: x + width, low: y, high: y + height, middle: y + height / 2 };
  }

  #point({ along, across }: Place): Point {
    return this.#isTall ? { x: across, y: along } : { x: along, y: across };
  }

  #text(place: Place): string {
    const { x, y } = this.#point(place);
    return `${round(x)} ${round(y)}`;
  }
}

/** Room between lanes for the label of a redirect. */
export const LANE_GAP = 46;

const round = (value: number): number => Math.round(value * 10) / 10;

/** From 2 at rest to 14 at a thousand requests per second and more, by the square root. */
export function strokeWidthOf({ requestsPerSecond }: Pick<Link, 'requestsPerSecond'>): number {
  return 2 + 12 * Math.sqrt(Math.min(Math.max(requestsPerSecond, 0), 1_000) / 1_000);
}
