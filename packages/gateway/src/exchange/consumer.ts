/** What an exchange does for a consumer's request: where it is sent first, where an answer 421 leads, what answers teach. */
import type { ServerResponse } from 'node:http';
import { baseUri } from '@causeway/protocol/base-uri.ts';
import {
  BRIDGE_HEADER,
  DELIVERED_HEADER,
  DELIVERY_HEADER,
  FAILED_HEADER,
  NOTHING_DELIVERED,
  OWNER_HEADER,
  RELEASE_HEADER,
} from '@causeway/protocol/routing.ts';
import type { Home } from '../consumers/affinity.ts';
import type { Delivered } from '../consumers/deliveries.ts';
import { type CreateBody, consumerOf, learnHome, nameInCreateRequest } from '../consumers/homes.ts';
import { targetOfOwner, whyMove } from '../consumers/owners.ts';
import { ConsumerRoute, type FollowedMisdirection, type Misdirection } from '../consumers/route.ts';
import { hashText, type SelectionRequest } from '../regions/select.ts';
import type { Target } from '../regions/target.ts';
import type { ClientRequest } from './client-request.ts';
import { answerToRepeated, type RepeatedAnswer } from './consumer-requests.ts';
import type { ExchangeContext } from './context.ts';

export interface RequestedConsumerOptions {
  context: Pick<ExchangeContext, 'regions' | 'affinity' | 'deliveries' | 'returnPace' | 'identity'>;
  request: ClientRequest;
  /** The request's body, where it was kept. */
  body: Buffer | undefined;
}

/** What a target answered. */
export interface ConsumerAnswer {
  readonly target: Target;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export class RequestedConsumer {
  /** Of the consumer's name; `undefined` where the bridge is to choose one. */
  readonly hash: number | undefined;
  /** Where this gateway believed the consumer when the request came. */
  readonly home: Home | undefined;
  readonly #options: RequestedConsumerOptions;
  readonly #route: ConsumerRoute;
  readonly #createBody: CreateBody | undefined;
  /** What this request confirms. */
  #delivered: Delivered | undefined;

  constructor(options: RequestedConsumerOptions) {
    this.#options = options;
    const { context, request, body } = options;
    const { url, message } = request;
    const isCreating = url.operation === 'createConsumer' && body !== undefined;
    this.#createBody = isCreating ? { bytes: body, coding: message.headers['content-encoding'] } : undefined;
    const key = consumerOf(url, this.#createBody);
    this.hash = key === undefined ? undefined : hashText(key);
    this.home = key === undefined || url.operation === 'createConsumer' ? undefined : context.affinity.homeOf(key);
    this.#route = new ConsumerRoute({
      home: this.home,
      failedHeader: request.gatewayHeader(FAILED_HEADER),
      releaseHeader: request.gatewayHeader(RELEASE_HEADER),
    });
  }

  /** Asks the owner to let go, if the consumer is to live elsewhere: at polls alone, which may take a moment longer. */
  moveIfDue(selection: SelectionRequest, nowMs: number): void {
    const { context, request } = this.#options;
    if (this.home === undefined || request.url.operation !== 'poll') return;
    const { snapshot } = context.regions;
    const { returnAfterMs } = snapshot.settings.affinity;
    const reason = whyMove(snapshot, this.home, { request: selection, nowMs, returnAfterMs });
    if (reason === 'drain' || (reason === 'return' && context.returnPace.take(nowMs))) this.#route.askRelease(reason);
  }

  /** Adds the word on what the client has of its bridge's answers: by the gateway that the client talks to alone. */
  addDelivered(headers: string[]): void {
    const { context, request } = this.#options;
    const { group, instance, operation } = request.url;
    if (request.isFromGateway || group === undefined || instance === undefined) return;
    this.#delivered = context.deliveries.take({ group, instance });
    const mark = this.#delivered?.mark ?? (operation === 'poll' ? NOTHING_DELIVERED : undefined);
    if (mark !== undefined) headers.push(DELIVERED_HEADER, mark);
  }

  /** An answer goes to the client: when it has all of it, its bridge is to know. */
  watchDelivery({ target, headers }: ConsumerAnswer, response: ServerResponse): void {
    const delivery = textOf(headers[DELIVERY_HEADER]);
    const { context, request } = this.#options;
    const { group, instance } = request.url;
    if (delivery === undefined || request.isFromGateway || group === undefined || instance === undefined) return;
    response.once('finish', () => context.deliveries.add({ group, instance }, delivery, target));
  }

  /** No bridge has answered: whether one read what the request confirms is not known. */
  onUnanswered(): void {
    if (this.#delivered !== undefined) this.#options.context.deliveries.putBack(this.#delivered);
  }

  /** The headers of an attempt at `target`. */
  headersAt(target: Target, headers: string[]): string[] {
    return this.#route.headersAt(target, headers);
  }

  /** Where a response 421 leads. */
  misdirected(
    { target, headers }: ConsumerAnswer,
    selection: SelectionRequest,
    tried: readonly Target[],
  ): Misdirection {
    const { context, request } = this.#options;
    return this.#route.misdirected({
      snapshot: context.regions.snapshot,
      request: selection,
      from: target,
      owner: textOf(headers[OWNER_HEADER]),
      isFromGateway: request.isFromGateway,
      ownRegion: context.identity.hop.region,
      tried,
    });
  }

  /** The request goes where a response 421 leads. */
  follow(misdirection: FollowedMisdirection): void {
    this.#route.follow(misdirection);
  }

  /** What the client gets instead of `status`, if the request may have been executed before; `undefined`: nothing else. */
  answerToRepeated(status: number): RepeatedAnswer | undefined {
    const { message, peer, trust, url } = this.#options.request;
    const { headers } = message;
    return answerToRepeated(url.operation, status, {
      instance: nameInCreateRequest(this.#createBody),
      baseUri: (name) =>
        baseUri(
          { headers, host: headers.host ?? '', isForwarded: trust !== 'client', scheme: peer.scheme },
          { group: url.group ?? '', name },
        ),
    });
  }

  /** Remembers where the consumer is: at the bridge that answered, if that said who it is. */
  learn(answer: ConsumerAnswer, selection: SelectionRequest, { status, body }: { status: number; body: Buffer }): void {
    const { context, request } = this.#options;
    const owner = textOf(answer.headers[BRIDGE_HEADER]);
    // Another region's gateway may have passed it on: next time it goes there straight away.
    const place = owner === undefined ? undefined : targetOfOwner(context.regions.snapshot, owner, selection);
    const home = { target: place ?? answer.target, owner };
    learnHome(context.affinity, { url: request.url, known: this.home, home, status, body });
  }
}

function textOf(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' ? header : undefined;
}
