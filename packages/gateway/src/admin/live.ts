/** The live stream of the page: the system at once, each second and after each flip; events; samples of rates. */

import type { RecordedEvent } from '@causeway/protocol/admin/events.ts';
import type { System } from '@causeway/protocol/admin/model.ts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { EventLog } from '../events.ts';
import { type EventStream, type EventStreams, lastEventId, type StreamMessage } from './event-stream.ts';
import type { RateHistory } from './history.ts';

const INTERVAL_MS = 1_000;
/** Flips arrive in bursts: changes within this time are one message. */
const COALESCE_MS = 40;
/** Delay until the first listener gets what the regional gateways reported. */
const FIRST_ANSWERS_MS = 150;
/** Events that do not change the topology. */
const QUIET: ReadonlySet<RecordedEvent['type']> = new Set([
  'failover',
  'adoption',
  'audit',
  'accessRefused',
  'handshake',
  'issuerKeys',
  'credentials',
  'connectionsRefused',
  'quotaExceeded',
]);

export interface LiveSources {
  streams: EventStreams;
  events: EventLog;
  history: RateHistory;
  system: () => System;
  /** Called for the first listener. The function that it returns is called after the last one. */
  onWatched: () => () => void;
}

export class LiveFeed {
  readonly #sources: LiveSources;
  readonly #streams = new Set<EventStream>();
  #timer: NodeJS.Timeout | undefined;
  #soon: NodeJS.Timeout | undefined;
  /** The next message is scheduled early. */
  #isFlipTold = false;
  #stops: (() => void)[] = [];

  constructor(sources: LiveSources) {
    this.#sources = sources;
  }

  open(request: FastifyRequest, reply: FastifyReply): void {
    const { streams, events, system } = this.#sources;
    const stream = streams.open(reply, () => {
      this.#streams.delete(stream);
      if (this.#streams.size === 0) this.#stop();
    });
    const missed = events.recent(lastEventId(request));
    stream.send(
      { event: 'system', json: JSON.stringify(system()) },
      ...missed.map((event) => ({ event: 'event', json: JSON.stringify(event), id: event.id })),
    );
    this.#streams.add(stream);
    if (this.#streams.size === 1) this.#start();
  }

  close(): void {
    this.#stop();
  }

  #start(): void {
    const { events, history, onWatched } = this.#sources;
    this.#timer = setInterval(() => this.#sendSystem(), INTERVAL_MS);
    this.#stops = [
      onWatched(),
      events.follow((event) => this.#onEvent(event)),
      history.subscribe((sample) => this.#send({ event: 'sample', json: JSON.stringify(sample) })),
    ];
    this.#soon = setTimeout(() => this.#sendSystem(), FIRST_ANSWERS_MS);
  }

  #stop(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#soon);
    this.#isFlipTold = false;
    for (const stop of this.#stops.splice(0)) stop();
  }

  #onEvent(event: RecordedEvent): void {
    this.#send({ event: 'event', json: JSON.stringify(event), id: event.id });
    if (QUIET.has(event.type)) return;
    if (this.#isFlipTold) return;
    this.#isFlipTold = true;
    clearTimeout(this.#soon);
    this.#soon = setTimeout(() => this.#sendSystem(), COALESCE_MS);
  }

  #sendSystem(): void {
    clearTimeout(this.#soon);
    this.#isFlipTold = false;
    const json = JSON.stringify(this.#sources.system());
    // A slow listener skips this message: the next one replaces it.
    for (const stream of this.#streams) if (!stream.isBusy) stream.send({ event: 'system', json });
  }

  #send(message: StreamMessage): void {
    for (const stream of this.#streams) stream.send(message);
  }
}
