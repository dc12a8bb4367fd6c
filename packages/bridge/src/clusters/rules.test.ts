import { type ClusterMode, type Promotion, parsePromotion } from '@causeway/protocol/clusters.ts';
import { describe, expect, test } from 'vitest';
import {
  applyRecord,
  type ClusterRecord,
  type ClusterView,
  decideCompletion,
  decideLearned,
  decidePromotion,
  EMPTY_VIEW,
  leaseWaitMs,
  mayAcknowledge,
  modeOf,
} from './rules.ts';

const SELF = 'east';

function p(text: string): Promotion {
  const promotion = parsePromotion(text);
  if (promotion === undefined) throw new Error(`${text} is no promotion`);
  return promotion;
}

const promoted = (text: string): ClusterRecord => ({
  kind: 'promoted',
  promotion: p(text),
  how: 'forced',
  leaseMs: 1000,
});
const pausing = (text: string, id = 'a'): ClusterRecord => ({
  kind: 'pausing',
  id,
  promotion: p(text),
  timeoutMs: 10_000,
});
const resumed = (id = 'a'): ClusterRecord => ({ kind: 'resumed', id });
const handedOver = (id = 'a'): ClusterRecord => ({ kind: 'handedOver', id });
const follows = (text: string): ClusterRecord => ({ kind: 'follows', promotion: p(text) });
const rejoined = (text: string): ClusterRecord => ({ kind: 'rejoined', promotion: p(text) });

function viewOf(records: readonly ClusterRecord[], self = SELF): ClusterView {
  return records.reduce((view, record) => applyRecord(view, record, self), EMPTY_VIEW);
}

describe("a cluster's log", () => {
  test.each<[name: string, records: ClusterRecord[], mode: ClusterMode, highest: string | undefined]>([
    ['nothing', [], 'unassigned', undefined],
    ['a promotion', [promoted('1;east')], 'active', '1;east'],
    ['a promotion of another cluster, which cannot be in this log', [promoted('1;west')], 'unassigned', undefined],
    ['a promotion twice', [promoted('1;east'), promoted('1;east')], 'active', '1;east'],
    ['a lower promotion that comes late', [promoted('3;east'), promoted('1;east')], 'active', '3;east'],
    ['a promotion lower than the one followed', [follows('2;west'), promoted('1;east')], 'standby', '2;west'],
    ['a promotion after another cluster', [follows('2;west'), promoted('3;east')], 'active', '3;east'],
    ['another cluster first', [follows('1;west')], 'standby', '1;west'],
    ['another cluster later', [promoted('1;east'), follows('2;west')], 'fenced', '2;west'],
    ['another cluster, with a lower number', [promoted('3;east'), follows('2;west')], 'active', '3;east'],
    ['itself as followed', [promoted('1;east'), follows('2;east')], 'active', '1;east'],
    ['a pause', [promoted('1;east'), pausing('2;west')], 'pausing', '1;east'],
    ['a pause for a promotion that is not higher', [promoted('2;east'), pausing('2;aest')], 'active', '2;east'],
    ['a pause for itself', [promoted('1;east'), pausing('2;east')], 'active', '1;east'],
    ['a pause while it stands by', [follows('1;west'), pausing('2;west')], 'standby', '1;west'],
    ['the end of a pause', [promoted('1;east'), pausing('2;west'), resumed()], 'active', '1;east'],
    ['the end of another pause', [promoted('1;east'), pausing('2;west'), resumed('b')], 'pausing', '1;east'],
    ['a switch-over', [promoted('1;east'), pausing('2;west'), handedOver()], 'standby', '2;west'],
    [
      'a switch-over that comes too late',
      [promoted('1;east'), pausing('2;west'), resumed(), handedOver()],
      'active',
      '1;east',
    ],
    [
      'the end of a pause behind the switch-over',
      [promoted('1;east'), pausing('2;west'), handedOver(), resumed()],
      'standby',
      '2;west',
    ],
    [
      'a second pause beside the first',
      [promoted('1;east'), pausing('2;west'), pausing('2;west', 'b'), handedOver('b')],
      'pausing',
      '1;east',
    ],
    [
      'a second pause after the first',
      [promoted('1;east'), pausing('2;west'), resumed(), pausing('2;west', 'b'), handedOver('b')],
      'standby',
      '2;west',
    ],
    [
      'a forced promotion elsewhere during a pause',
      [promoted('1;east'), pausing('2;west'), follows('2;west')],
      'fenced',
      '2;west',
    ],
    [
      'a switch-over that a forced promotion overtook',
      [promoted('1;east'), pausing('2;west'), follows('2;west'), handedOver()],
      'fenced',
      '2;west',
    ],
    [
      'what it handed over to, learned later',
      [promoted('1;east'), pausing('2;west'), handedOver(), follows('2;west')],
      'standby',
      '2;west',
    ],
    [
      'what follows what it handed over to',
      [promoted('1;east'), pausing('2;west'), handedOver(), follows('3;north')],
      'standby',
      '3;north',
    ],
    ['a return', [promoted('1;east'), follows('2;west'), rejoined('2;west')], 'standby', '2;west'],
    [
      'a return to an older promotion',
      [promoted('1;east'), follows('2;west'), follows('3;north'), rejoined('2;west')],
      'fenced',
      '3;north',
    ],
    ['a return of a cluster that is active', [promoted('1;east'), rejoined('1;east')], 'active', '1;east'],
    [
      'a promotion of a fenced cluster',
      [promoted('1;east'), follows('2;west'), promoted('3;east')],
      'active',
      '3;east',
    ],
    [
      'a fenced cluster that learns more',
      [promoted('1;east'), follows('2;west'), follows('3;north')],
      'fenced',
      '3;north',
    ],
  ])('that has %s', (_name, records, mode, highest) => {
    const view = viewOf(records);
    expect({ mode: view.mode, highest: view.highest }).toEqual({
      mode,
      highest: highest === undefined ? undefined : p(highest),
    });
  });

  test('says the same however often each record stands in it behind itself', () => {
    const records = [
      promoted('1;east'),
      pausing('2;west'),
      resumed(),
      pausing('2;west', 'b'),
      handedOver('b'),
      promoted('3;east'),
      follows('4;west'),
      rejoined('4;west'),
    ];
    expect(viewOf(records.flatMap((record) => [record, record]))).toEqual(viewOf(records));
  });
});

const ACTIVE = [promoted('1;east')];
const PAUSING = [...ACTIVE, pausing('2;west')];
const STANDBY = [follows('2;west')];
const FENCED = [...ACTIVE, follows('2;west')];

describe('what was learned elsewhere', () => {
  test.each<[records: ClusterRecord[], learned: string | undefined, mode: ClusterMode]>([
    [[], undefined, 'unassigned'],
    [[], '0;east', 'unassigned'],
    [[], '0;west', 'standby'],
    [[], '1;west', 'standby'],
    [[], '2;east', 'unassigned'],
    [ACTIVE, undefined, 'active'],
    [ACTIVE, '0;west', 'active'],
    [ACTIVE, '1;aest', 'active'],
    [ACTIVE, '1;west', 'fenced'],
    [ACTIVE, '2;west', 'fenced'],
    [ACTIVE, '2;east', 'active'],
    [PAUSING, '2;west', 'fenced'],
    [STANDBY, '3;east', 'standby'],
    [STANDBY, '3;north', 'standby'],
    [FENCED, '3;north', 'fenced'],
  ])('%j and %s', (records, learned, mode) => {
    expect(modeOf(viewOf(records), learned === undefined ? undefined : p(learned), SELF)).toBe(mode);
  });

  test.each<
    [records: ClusterRecord[], learned: string | undefined, peer: string | undefined, kind: string | undefined]
  >([
    [[], undefined, undefined, undefined],
    [[], '0;east', undefined, 'initial'],
    [[], '0;east', '1;west', undefined],
    [[], '0;west', undefined, undefined],
    [[], '1;west', undefined, 'follows'],
    [[], '2;east', undefined, undefined],
    [ACTIVE, '0;east', undefined, undefined],
    [ACTIVE, '0;west', undefined, undefined],
    [ACTIVE, '2;west', undefined, 'follows'],
    [STANDBY, '0;east', undefined, undefined],
    [STANDBY, '2;west', undefined, undefined],
    [STANDBY, '3;north', undefined, 'follows'],
  ])('%j and %s: a record', (records, learned, peer, kind) => {
    const peerHighest = peer === undefined ? undefined : p(peer);
    expect(
      decideLearned(viewOf(records), learned === undefined ? undefined : p(learned), { self: SELF, peerHighest })?.kind,
    ).toBe(kind);
  });
});

describe('a request to promote', () => {
  test.each<
    [
      name: string,
      records: ClusterRecord[],
      request: { learned?: string; after: string; mayLose?: boolean; isPeerReachable?: boolean },
      decision: string,
    ]
  >([
    ['the active one', ACTIVE, { after: '1;east' }, 'isActive 1;east'],
    [
      'the active one again, as an older gateway asks',
      [follows('1;west'), promoted('2;east')],
      { after: '1;west' },
      'isActive 2;east',
    ],
    ['a standby, orderly', STANDBY, { after: '2;west', isPeerReachable: true }, 'switchOver 3;east'],
    [
      'a standby, orderly although it may lose',
      STANDBY,
      { after: '2;west', isPeerReachable: true, mayLose: true },
      'switchOver 3;east',
    ],
    ['a standby without its peer', STANDBY, { after: '2;west' }, 'wouldLose'],
    ['a standby without its peer that may lose', STANDBY, { after: '2;west', mayLose: true }, 'force 3;east'],
    ['a standby, for a gateway that is behind', STANDBY, { after: '1;west', mayLose: true }, 'superseded 2;west'],
    ['a standby, for a gateway that is ahead', STANDBY, { after: '4;west', mayLose: true }, 'force 5;east'],
    [
      'a standby that learned more',
      STANDBY,
      { learned: '3;west', after: '2;west', mayLose: true },
      'superseded 3;west',
    ],
    ['a cluster that nothing was said about', [], { after: '0;west', mayLose: true }, 'force 1;east'],
    ['the active one that a gateway takes for fenced', ACTIVE, { after: '2;west', isPeerReachable: true }, 'isFenced'],
    ['a fenced one', FENCED, { after: '2;west' }, 'isFenced'],
    ['a fenced one whose peer is there', FENCED, { after: '2;west', mayLose: true, isPeerReachable: true }, 'isFenced'],
    ['a fenced one without its peer that may lose', FENCED, { after: '2;west', mayLose: true }, 'isFenced'],
  ])('%s', (_name, records, { learned, after, mayLose = false, isPeerReachable = false }, decision) => {
    const decided = decidePromotion({
      self: SELF,
      view: viewOf(records),
      learned: learned === undefined ? undefined : p(learned),
      after: p(after),
      mayLose,
      isPeerReachable,
    });
    const promotion = 'promotion' in decided ? decided.promotion : 'highest' in decided ? decided.highest : undefined;
    expect(promotion === undefined ? decided.kind : `${decided.kind} ${promotion.number};${promotion.cluster}`).toBe(
      decision,
    );
  });
});

describe('a switch-over whose promoter died', () => {
  const peer = (...records: ClusterRecord[]): ClusterView => viewOf([promoted('1;west'), ...records], 'west');
  test.each<[name: string, own: ClusterRecord[], peer: ClusterView, completes: boolean]>([
    ['is completed behind its point of no return', [follows('1;west')], peer(pausing('2;east'), handedOver()), true],
    ['is not completed before', [follows('1;west')], peer(pausing('2;east')), false],
    [
      'is not completed after the pause ended',
      [follows('1;west')],
      peer(pausing('2;east'), resumed(), handedOver()),
      false,
    ],
    ['is completed once', [follows('1;west'), promoted('2;east')], peer(pausing('2;east'), handedOver()), false],
    [
      'is not completed if a higher promotion is known',
      [follows('3;north')],
      peer(pausing('2;east'), handedOver()),
      false,
    ],
    ['to another cluster is not completed here', [follows('1;west')], peer(pausing('2;north'), handedOver()), false],
    [
      'is completed if the peer did not serve, and follows it',
      [promoted('1;east'), pausing('2;west'), handedOver()],
      viewOf([follows('1;east'), follows('3;east')], 'west'),
      true,
    ],
    ['is not completed by a cluster that lost its log', [], peer(pausing('2;east'), handedOver()), false],
    ['is not a forced promotion', [follows('1;west')], peer(follows('2;east')), false],
    [
      'is not completed when the peer follows another one since',
      [follows('1;west')],
      peer(pausing('2;east'), handedOver(), follows('3;north')),
      false,
    ],
  ])('%s', (_name, own, peerView, completes) => {
    expect(decideCompletion(viewOf(own), peerView, SELF)).toEqual(completes ? peerView.highest : undefined);
  });
});

test('a bridge acknowledges in mode active, within the lease; a promoter waits for longer than the lease', () => {
  for (const mode of ['unassigned', 'pausing', 'standby', 'fenced'] as const) {
    expect(mayAcknowledge({ mode, confirmedAgoMs: 0, leaseMs: 1000 })).toBe(false);
  }
  expect(mayAcknowledge({ mode: 'active', confirmedAgoMs: 1000, leaseMs: 1000 })).toBe(true);
  expect(mayAcknowledge({ mode: 'active', confirmedAgoMs: 1001, leaseMs: 1000 })).toBe(false);
  expect(leaseWaitMs(1000)).toBeGreaterThan(1000);
});
