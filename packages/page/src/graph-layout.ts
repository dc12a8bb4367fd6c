/** Positions of the graph's cards, lanes and edges: columns on a wide page, rows on a narrow one. */
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

export const LABEL_LINE_HEIGHT = 14;
/** Estimates the width of the longest line in the label's font, without measuring. */
const LABEL_CHARACTER_WIDTH = 6.1;

/** The area of an edge's label. */
export function labelBox({ link, label }: Edge): Box {
  const width = Math.max(...link.label.map((line) => line.length)) * LABEL_CHARACTER_WIDTH + 12;
  const height = link.label.length * LABEL_LINE_HEIGHT + 8;
  return { x: label.x - width / 2, y: label.y - height / 2, width, height };
}

/** Below this width the graph has rows. */
export const TALL_BELOW_PX = 1_000;
export const LANE_HEADER = 56;
export const LANE_PADDING = 14;
const CARD_HEIGHT = 112;
const CARD_GAP = 14;

export function layoutGraph(graph: Graph, width: number): GraphLayout {
  return width < TALL_BELOW_PX ? layoutTall(graph, width) : layoutWide(graph, width);
}

/** Room between columns for labels, and before lanes for the turn of redirected traffic. */
const LABEL_GAP = 104;
const BRANCH_GAP = 152;
/** Widths of the columns in proportion to each other: they share the rest. */
const COLUMNS = { clients: 7, tier1: 8, gateway: 11, bridge: 11, kafka: 8 };

function layoutWide(graph: Graph, width: number): GraphLayout {
  const hasGateways = graph.lanes.some(({ gateways }) => gateways.length > 0);
  const shares = { ...COLUMNS, gateway: hasGateways ? COLUMNS.gateway : 0 };
  const gatewayGap = hasGateways ? LABEL_GAP : 0;
  const shareCount = Object.values(shares).reduce((sum, share) => sum + share, 0);
  const shareWidth = (width - LABEL_GAP - BRANCH_GAP - gatewayGap - LABEL_GAP - LANE_PADDING) / shareCount;
  const tier1X = shareWidth * shares.clients + LABEL_GAP;
  const gatewayX = tier1X + shareWidth * shares.tier1 + BRANCH_GAP;
  const bridgeX = gatewayX + shareWidth * shares.gateway + gatewayGap;
  const right = bridgeX + shareWidth * shares.bridge;
  const boxes = new Map<string, Box>();
  const lanes: GraphLayout['lanes'] = [];
  let y = 0;
  for (const lane of graph.lanes) {
    const rowCount = Math.max(lane.gateways.length, lane.bridges.length, 1);
    const innerHeight = rowCount * CARD_HEIGHT + (rowCount - 1) * CARD_GAP;
    const top = y + LANE_HEADER;
    placeColumn(lane.gateways, { x: gatewayX, width: shareWidth * shares.gateway, top, innerHeight }, boxes);
    placeColumn(lane.bridges, { x: bridgeX, width: shareWidth * shares.bridge, top, innerHeight }, boxes);
    const height = LANE_HEADER + innerHeight + LANE_PADDING;
    lanes.push({ lane, box: { x: gatewayX - LANE_PADDING, y, width: right - gatewayX + 2 * LANE_PADDING, height } });
    y += height + LANE_GAP;
  }
  const height = Math.max(y - LANE_GAP, CARD_HEIGHT);
  const middle = (height - CARD_HEIGHT) / 2;
  const single = (id: string, x: number, share: number) =>
    boxes.set(id, { x, y: middle, width: shareWidth * share, height: CARD_HEIGHT });
  single('clients', 0, shares.clients);
  single('tier1', tier1X, shares.tier1);
  const kafkaWidth = shareWidth * shares.kafka;
  const bottom = placeKafkas(graph, { x: width - kafkaWidth, width: kafkaWidth, middle }, { boxes, lanes });
  return finish({ graph, boxes, lanes, width, height: Math.max(height, bottom), isTall: false });
}

/** Room between two Kafkas for the arrow of replication and its label. */
const KAFKA_GAP = 84;

/** One in the middle; of several, each beside the regions of its bridges. Returns where the last one ends. */
function placeKafkas(
  { kafkas, links }: Graph,
  { x, width, middle }: { x: number; width: number; middle: number },
  { boxes, lanes }: Pick<Placement, 'boxes' | 'lanes'>,
): number {
  const wanted = kafkas.map(({ id }) => {
    const sources = new Set(links.filter((link) => link.to === id).map(({ from }) => from));
    const own = lanes.filter(({ lane }) => cardIds(lane).some((card) => sources.has(card)));
    const centres = own.map(({ box }) => box.y + box.height / 2);
    const isPlaced = kafkas.length > 1 && centres.length > 0;
    return { id, y: isPlaced ? centres.reduce((sum, y) => sum + y, 0) / centres.length - CARD_HEIGHT / 2 : middle };
  });
  let free = 0;
  for (const { id, y } of wanted.sort((a, b) => a.y - b.y)) {
    const top = Math.max(free, y);
    boxes.set(id, { x, y: top, width, height: CARD_HEIGHT });
    free = top + CARD_HEIGHT + KAFKA_GAP;
  }
  return free - KAFKA_GAP;
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

/** Narrower lanes are unreadable; the graph scrolls instead. */
const TALL_LANE_MIN_WIDTH = 150;
const TALL_LANE_GAP = 12;
const TALL_EDGE = 70;
const TALL_BRANCH = 92;
/** Room above Kafka for the labels of the edges that join there. */
const TALL_JOIN = 104;
const TALL_REDIRECT = 48;
const TALL_HEAD_HEIGHT = 84;
const TALL_CARD_HEIGHT = 128;
const TALL_PADDING = 8;
/** Room for the arrow of replication, whose figures are in the section below. */
const TALL_KAFKA_GAP = 40;

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
  const header = LANE_HEADER + 38;
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
  placeKafkaRow(graph, { y: bottom + TALL_JOIN, width, headWidth }, boxes);
  return finish({ graph, boxes, lanes, width, height: bottom + TALL_JOIN + TALL_HEAD_HEIGHT, isTall: true });
}

/** One in the middle, or several side by side. */
function placeKafkaRow(
  { kafkas }: Graph,
  { y, width, headWidth }: { y: number; width: number; headWidth: number },
  boxes: Map<string, Box>,
): void {
  const count = kafkas.length;
  const cardWidth = Math.min(headWidth, (width - (count - 1) * TALL_KAFKA_GAP) / count);
  const start = (width - count * cardWidth - (count - 1) * TALL_KAFKA_GAP) / 2;
  kafkas.forEach(({ id }, index) => {
    const x = start + index * (cardWidth + TALL_KAFKA_GAP);
    boxes.set(id, { x, y, width: cardWidth, height: TALL_HEAD_HEIGHT });
  });
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
  const cards = [...all, ...graph.kafkas].flatMap((card) => {
    const box = boxes.get(card.id);
    return box === undefined ? [] : [{ card, box }];
  });
  const router = new Router(isTall);
  const kafkaIds = new Set(graph.kafkas.map(({ id }) => id));
  const laneOf = (id: string): Box | undefined => lanes.find(({ lane }) => cardIds(lane).includes(id))?.box;
  const links = withoutLeft(isTall ? joinLabels(graph, boxes) : graph.links, graph.lanes);
  const edges = links.flatMap((link): Edge[] => {
    const from = boxes.get(link.from);
    const to = boxes.get(link.to);
    if (from === undefined || to === undefined) return [];
    const toLane = laneOf(link.to);
    const strokeWidth = strokeWidthOf(link);
    if (link.kind === 'replication') {
      // Of three, one is in between. The section below has the figures.
      const hasRoom = !isTall && graph.kafkas.length === 2;
      return [{ link: hasRoom ? link : { ...link, label: [] }, strokeWidth, ...router.beside(from, to) }];
    }
    if (link.redirect === undefined) {
      const lanesOfEdge = { fromLane: laneOf(link.from), toLane };
      return [{ link, strokeWidth, ...router.straight(from, to, { ...lanesOfEdge, isJoin: kafkaIds.has(link.to) }) }];
    }
    const aimedAt = lanes.find(({ lane }) => lane.region === link.redirect?.from);
    const aimed = boxes.get((aimedAt?.lane.gateways[0] ?? aimedAt?.lane.bridges[0])?.id ?? '');
    if (aimedAt === undefined || aimed === undefined || toLane === undefined) return [];
    return [{ link, strokeWidth, ...router.redirect({ from, aimedLane: aimedAt.box, aimed, toLane, to }) }];
  });
  return { width, height, isTall, cards, lanes, edges };
}

/** A redirect starts beside the idle edge that it left: the label of that edge would cover both. */
function withoutLeft(links: readonly Link[], lanes: readonly Lane[]): Link[] {
  const left = new Set(links.flatMap(({ redirect }) => redirect?.from ?? []));
  const idsLeft = new Set(lanes.filter(({ region }) => left.has(region)).flatMap(cardIds));
  return links.map((link) => {
    const isLeft = link.from === 'tier1' && link.kind === 'traffic' && idsLeft.has(link.to);
    return isLeft && link.requestsPerSecond < 0.05 ? { ...link, label: [] } : link;
  });
}

/** Edges that overlap, as those of a lane's cards in one column, share one label. */
function joinLabels({ links, lanes }: Graph, boxes: ReadonlyMap<string, Box>): Link[] {
  const placeOf = (id: string): string => lanes.find((lane) => cardIds(lane).includes(id))?.region ?? id;
  const groups = Map.groupBy(
    links.filter(({ kind }) => kind === 'traffic'),
    ({ from, to }) => `${placeOf(from)} → ${placeOf(to)}`,
  );
  const labels = new Map<Link, string[]>();
  for (const group of groups.values()) {
    if (group.length < 2) continue;
    const sum = group.reduce((total, { requestsPerSecond }) => total + requestsPerSecond, 0);
    // The label of the edge between neighbouring cards: labels of the others would cover the cards between.
    const shortest = group.toSorted((a, b) => lengthOf(a, boxes) - lengthOf(b, boxes))[0];
    for (const link of group) labels.set(link, []);
    if (shortest !== undefined) labels.set(shortest, [`${group.length} together`, `${formatRate(sum)} req/s`]);
  }
  return links.map((link) => ({ ...link, label: labels.get(link) ?? link.label }));
}

function lengthOf({ from, to }: Link, boxes: ReadonlyMap<string, Box>): number {
  return (boxes.get(to)?.y ?? 0) - (boxes.get(from)?.y ?? 0);
}

function cardIds({ gateways, bridges }: Lane): string[] {
  return [...gateways, ...bridges].map(({ id }) => id);
}
