/** Where the graph's cards, lanes and edges go: in columns on a wide page, in rows on a narrow one. */
import { formatRate } from './format.ts';
import { type Box, LANE_GAP, type Point, Router, strokeWidthOf } from './graph-edges.ts';
import type { Card, Graph, Lane, Link } from './graph-model.ts';

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
const CARD_HEIGHT = 112;
const CARD_GAP = 14;

export function layoutGraph(graph: Graph, width: number): GraphLayout {
  return width < TALL_BELOW_PX ? layoutTall(graph, width) : layoutWide(graph, width);
}

/** Share of the width that each column of cards gets; the rest is between them. */
const COLUMNS = { clients: 0.1, tier1: 0.12, gateway: 0.15, bridge: 0.15, kafka: 0.11 };
/** Shares of what is left between the columns: most where edges part and meet the redirects. */
const GAPS = { clients: 0.22, tier1: 0.36, gateway: 0.22 };

function layoutWide(graph: Graph, width: number): GraphLayout {
  const free = width * (1 - Object.values(COLUMNS).reduce((sum, share) => sum + share, 0));
  const tier1X = width * COLUMNS.clients + free * GAPS.clients;
  const gatewayX = tier1X + width * COLUMNS.tier1 + free * GAPS.tier1;
  const bridgeX = gatewayX + width * COLUMNS.gateway + free * GAPS.gateway;
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
  single('tier1', tier1X, COLUMNS.tier1);
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
const TALL_LANE_MIN_WIDTH = 150;
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
  const router = new Router(isTall);
  const laneOf = (id: string): Box | undefined =>
    lanes.find(({ lane }) => [...lane.gateways, ...lane.bridges].some((card) => card.id === id))?.box;
  const edges = (isTall ? joinLabels(graph) : graph.links).flatMap((link): Edge[] => {
    const from = boxes.get(link.from);
    const to = boxes.get(link.to);
    if (from === undefined || to === undefined) return [];
    const toLane = laneOf(link.to);
    const strokeWidth = strokeWidthOf(link);
    if (link.redirect === undefined) {
      return [{ link, strokeWidth, ...router.straight(from, to, { fromLane: laneOf(link.from), toLane }) }];
    }
    const aimedAt = lanes.find(({ lane }) => lane.region === link.redirect?.from);
    const aimed = boxes.get((aimedAt?.lane.gateways[0] ?? aimedAt?.lane.bridges[0])?.id ?? '');
    if (aimedAt === undefined || aimed === undefined || toLane === undefined) return [];
    return [{ link, strokeWidth, ...router.redirect({ from, aimedLane: aimedAt.box, aimed, toLane, to }) }];
  });
  return { width, height, isTall, cards, lanes, edges };
}

/** Where the edges to several targets of a region end at the same place, one label tells of all. */
function joinLabels({ links, lanes }: Graph): Link[] {
  return links.map((link) => {
    const lane = lanes.find(({ gateways, bridges }) => [...gateways, ...bridges].some(({ id }) => id === link.to));
    if (link.from !== 'tier1' || link.kind === 'redirect' || lane === undefined) return link;
    const beside = links.filter(
      ({ from, to, kind }) =>
        from === 'tier1' && kind === 'traffic' && [...lane.gateways, ...lane.bridges].some(({ id }) => id === to),
    );
    if (beside.length < 2) return link;
    const sum = beside.reduce((total, { requestsPerSecond }) => total + requestsPerSecond, 0);
    return { ...link, label: beside[0] === link ? [`${beside.length} targets`, `${formatRate(sum)} req/s`] : [] };
  });
}
