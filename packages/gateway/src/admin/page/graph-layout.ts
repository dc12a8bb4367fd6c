/** Where the graph's cards, lanes and edges go: in columns on a wide page, in rows on a narrow one. */
import type { Card, Graph, Lane, Link } from './graph-model.ts';

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

export interface Edge {
  link: Link;
  path: string;
  strokeWidth: number;
  label: Point;
}

export interface GraphLayout {
  width: number;
  height: number;
  isTall: boolean;
  cards: { card: Card; box: Box }[];
  lanes: { lane: Lane; box: Box }[];
  edges: Edge[];
}

/** Below this width the graph stands upright. */
export const TALL_BELOW_PX = 860;
export const LANE_HEADER = 56;
export const LANE_PADDING = 14;
const CARD_HEIGHT = 104;
const CARD_GAP = 14;
const LANE_GAP = 26;

export function layoutGraph(graph: Graph, width: number): GraphLayout {
  return width < TALL_BELOW_PX ? layoutTall(graph, width) : layoutWide(graph, width);
}

/** Share of the width that each column of cards gets; the rest is between them. */
const COLUMNS = { clients: 0.1, tier1: 0.125, gateway: 0.155, bridge: 0.155, kafka: 0.115 };

function layoutWide(graph: Graph, width: number): GraphLayout {
  const gap = (width * (1 - Object.values(COLUMNS).reduce((sum, share) => sum + share, 0))) / 4;
  const gatewayX = width * (COLUMNS.clients + COLUMNS.tier1) + 2 * gap;
  const bridgeX = gatewayX + width * COLUMNS.gateway + gap;
  const right = bridgeX + width * COLUMNS.bridge;
  const boxes = new Map<string, Box>();
  const lanes: GraphLayout['lanes'] = [];
  let y = 0;
  for (const lane of graph.lanes) {
    const rowCount = Math.max(lane.gateways.length, lane.bridges.length, 1);
    const innerHeight = rowCount * CARD_HEIGHT + (rowCount - 1) * CARD_GAP;
    const top = y + LANE_HEADER;
    placeColumn(lane.gateways, { x: gatewayX, width: width * COLUMNS.gateway, top, innerHeight }, boxes);
    placeColumn(lane.bridges, { x: bridgeX, width: width * COLUMNS.bridge, top, innerHeight }, boxes);
    const height = LANE_HEADER + innerHeight + LANE_PADDING;
    lanes.push({ lane, box: { x: gatewayX - LANE_PADDING, y, width: right - gatewayX + 2 * LANE_PADDING, height } });
    y += height + LANE_GAP;
  }
  const height = Math.max(y - LANE_GAP, CARD_HEIGHT);
  const middle = (height - CARD_HEIGHT) / 2;
  const single = (id: string, x: number, share: number) =>
    boxes.set(id, { x, y: middle, width: width * share, height: CARD_HEIGHT });
  single('clients', 0, COLUMNS.clients);
  single('tier1', width * COLUMNS.clients + gap, COLUMNS.tier1);
  single('kafka', width * (1 - COLUMNS.kafka), COLUMNS.kafka);
  return finish({ graph, boxes, lanes, width, height, isTall: false });
}

function placeColumn(
  cards: Card[],
  column: { x: number; width: number; top: number; innerHeight: number },
  boxes: Map<string, Box>,
): void {
  const height = cards.length * CARD_HEIGHT + (cards.length - 1) * CARD_GAP;
  let y = column.top + (column.innerHeight - height) / 2;
  for (const { id } of cards) {
    boxes.set(id, { x: column.x, y, width: column.width, height: CARD_HEIGHT });
    y += CARD_HEIGHT + CARD_GAP;
  }
}

/** Narrower lanes cannot be read; the graph then scrolls. */
const TALL_LANE_MIN_WIDTH = 168;
const TALL_LANE_GAP = 12;
const TALL_EDGE = 70;
const TALL_BRANCH = 92;
const TALL_REDIRECT = 48;
const TALL_HEAD_HEIGHT = 84;
const TALL_CARD_HEIGHT = 128;
const TALL_PADDING = 8;

function layoutTall(graph: Graph, givenWidth: number): GraphLayout {
  const laneCount = Math.max(graph.lanes.length, 1);
  const width = Math.max(givenWidth, laneCount * TALL_LANE_MIN_WIDTH + (laneCount - 1) * TALL_LANE_GAP);
  const laneWidth = (width - (laneCount - 1) * TALL_LANE_GAP) / laneCount;
  const boxes = new Map<string, Box>();
  const headWidth = Math.min(width, 240);
  const head = (id: string, y: number) =>
    boxes.set(id, { x: (width - headWidth) / 2, y, width: headWidth, height: TALL_HEAD_HEIGHT });
  head('clients', 0);
  head('tier1', TALL_HEAD_HEIGHT + TALL_EDGE);
  const hasRedirects = graph.links.some(({ kind }) => kind === 'redirect');
  const top = 2 * TALL_HEAD_HEIGHT + TALL_EDGE + TALL_BRANCH + (hasRedirects ? TALL_REDIRECT : 0);
  const header = LANE_HEADER + 30;
  const placed = graph.lanes.map((lane, index) => {
    const x = index * (laneWidth + TALL_LANE_GAP);
    let y = top + header;
    const inner = { x: x + TALL_PADDING, width: laneWidth - 2 * TALL_PADDING, height: TALL_CARD_HEIGHT };
    for (const { id } of lane.gateways) {
      boxes.set(id, { ...inner, y });
      y += TALL_CARD_HEIGHT + CARD_GAP;
    }
    if (lane.gateways.length > 0) y += TALL_EDGE - CARD_GAP;
    for (const { id } of lane.bridges) {
      boxes.set(id, { ...inner, y });
      y += TALL_CARD_HEIGHT + CARD_GAP;
    }
    return { lane, x, bottom: y - CARD_GAP + TALL_PADDING };
  });
  const bottom = Math.max(top + header, ...placed.map((lane) => lane.bottom));
  const lanes = placed.map(({ lane, x }) => ({ lane, box: { x, y: top, width: laneWidth, height: bottom - top } }));
  head('kafka', bottom + TALL_EDGE * 0.7);
  return finish({ graph, boxes, lanes, width, height: bottom + TALL_EDGE * 0.7 + TALL_HEAD_HEIGHT, isTall: true });
}

interface Placement {
  graph: Graph;
  boxes: Map<string, Box>;
  lanes: GraphLayout['lanes'];
  width: number;
  height: number;
  isTall: boolean;
}

function finish({ graph, boxes, lanes, width, height, isTall }: Placement): GraphLayout {
  const all = [graph.clients, graph.tier1, ...graph.lanes.flatMap((lane) => [...lane.gateways, ...lane.bridges])];
  const cards = [...all, graph.kafka].flatMap((card) => {
    const box = boxes.get(card.id);
    return box === undefined ? [] : [{ card, box }];
  });
  const edges = graph.links.flatMap((link): Edge[] => {
    const from = boxes.get(link.from);
    const to = boxes.get(link.to);
    if (from === undefined || to === undefined) return [];
    const strokeWidth = strokeWidthOf(link.requestsPerSecond);
    if (link.redirect === undefined) return [{ link, strokeWidth, ...straight(from, to, isTall) }];
    const aimed = lanes.find(({ lane }) => lane.region === link.redirect?.from)?.box;
    return aimed === undefined ? [] : [{ link, strokeWidth, ...bent({ from, aimed, to, isTall }) }];
  });
  return { width, height, isTall, cards, lanes, edges };
}

/** From 2 at rest to 14 at a thousand requests per second and more, by the square root. */
export function strokeWidthOf(requestsPerSecond: number): number {
  return 2 + 12 * Math.sqrt(Math.min(Math.max(requestsPerSecond, 0), 1_000) / 1_000);
}

function straight(from: Box, to: Box, isTall: boolean): { path: string; label: Point } {
  const start = isTall ? below(from) : rightOf(from);
  const end = isTall ? above(to) : leftOf(to);
  // Nearer to its end, where the edges of several regions are apart.
  return {
    path: curve(start, end, isTall),
    label: between(start, end, Math.abs(isTall ? end.x - start.x : end.y - start.y) > 1 ? 0.56 : 0.5),
  };
}

/** Sets off for the region to which the work belongs, and turns to the one that does it. */
function bent({ from, aimed, to, isTall }: { from: Box; aimed: Box; to: Box; isTall: boolean }): {
  path: string;
  label: Point;
} {
  const start = isTall ? below(from) : rightOf(from);
  if (isTall) {
    const end = { x: to.x + to.width / 2, y: to.y };
    const turn = { x: aimed.x + aimed.width / 2, y: aimed.y - 20 };
    const label = { x: (turn.x + end.x) / 2, y: aimed.y - 22 };
    return { path: turned(start, turn, end, isTall), label };
  }
  const end = { x: to.x, y: to.y + to.height / 2 };
  const turn = { x: aimed.x - 22, y: aimed.y + aimed.height / 2 };
  return { path: turned(start, turn, end, isTall), label: { x: aimed.x - 30, y: (turn.y + end.y) / 2 } };
}

function turned(start: Point, turn: Point, end: Point, isTall: boolean): string {
  if (isTall) {
    const side = Math.sign(end.x - turn.x);
    return `M${start.x} ${start.y} C${start.x} ${turn.y} ${turn.x} ${start.y} ${turn.x} ${turn.y - 14} Q${turn.x} ${turn.y} ${turn.x + side * 14} ${turn.y} L${end.x - side * 28} ${turn.y} Q${end.x - side * 14} ${turn.y} ${end.x - side * 14} ${turn.y + 14} L${end.x - side * 14} ${end.y}`;
  }
  const side = Math.sign(end.y - turn.y);
  return `M${start.x} ${start.y} C${turn.x} ${start.y} ${start.x} ${turn.y} ${turn.x - 14} ${turn.y} Q${turn.x} ${turn.y} ${turn.x} ${turn.y + side * 14} L${turn.x} ${end.y - side * 36} Q${turn.x} ${end.y - side * 22} ${turn.x + 14} ${end.y - side * 22} L${end.x} ${end.y - side * 22}`;
}

function curve(start: Point, end: Point, isTall: boolean): string {
  const middle = between(start, end, 0.5);
  const [first, second] = isTall
    ? [
        { x: start.x, y: middle.y },
        { x: end.x, y: middle.y },
      ]
    : [
        { x: middle.x, y: start.y },
        { x: middle.x, y: end.y },
      ];
  return `M${start.x} ${start.y} C${first.x} ${first.y} ${second.x} ${second.y} ${end.x} ${end.y}`;
}

const rightOf = ({ x, y, width, height }: Box): Point => ({ x: x + width, y: y + height / 2 });
const leftOf = ({ x, y, height }: Box): Point => ({ x, y: y + height / 2 });
const below = ({ x, y, width, height }: Box): Point => ({ x: x + width / 2, y: y + height });
const above = ({ x, y, width }: Box): Point => ({ x: x + width / 2, y });

function between(start: Point, end: Point, ratio: number): Point {
  return { x: start.x + (end.x - start.x) * ratio, y: start.y + (end.y - start.y) * ratio };
}
