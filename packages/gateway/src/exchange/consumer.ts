/** The part of an exchange that concerns a consumer: where the request goes first, where a response 421 leads, deliveries. */
import type { ResponseMessage } from '@causeway/http/message.ts';
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
import { type CreateBody, nameInCreateRequest } from '../consumers/create-body.ts';
import type { Delivered } from '../consumers/deliveries.ts';
import { consumerOf, learnHome } from '../consumers/homes.ts';
import { whyMove } from '../consumers/moves.ts';
import { currentHome, targetOfOwner } from '../consumers/owners.ts';
import { ConsumerRoute, type FollowedMisdirection, type Misdirection } from '../consumers/route.ts';
import { hashText, type SelectionRequest } from '../regions/select.ts';
import type { Target } from '../regions/target.ts';
import type { ClientRequest } from './client-request.ts';
import { type RepeatedResponse, responseToRepeated } from './consumer-requests.ts';
import type { ExchangeContext } from './context.ts';

const MIN_ERROR_STATUS = 400;
const FORBIDDEN = 403;

export interface RequestedConsumerOptions {
  context: Pick<ExchangeContext, 'regions' | 'affinity' | 'deliveries' | 'returnPace' | 'identity'>;
  request: ClientRequest;
  /** The request's body, where it was kept. */
  body: Buffer | undefined;
  /** The request came from another region: only this gateway's own region may serve it. */
  localOnly: boolean;
}

/** A target's response. */
export interface ConsumerResponse {
  readonly target: Target;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export class RequestedConsumer {
  /** Hash of the consumer's name; `undefined`: the bridge will choose one. */
  readonly hash: number | undefined;
  /** The consumer's home when the request arrived. */
  readonly home: Home | undefined;
  readonly #options: RequestedConsumerOptions;
  readonly #route: ConsumerRoute;
  readonly #createBody: CreateBody | undefined;
  /** The delivery that this request confirms. */
  #delivered: Delivered | undefined;

  constructor(options: RequestedConsumerOptions) {
    this.#options = options;
    const { context, request, body, localOnly } = options;
    const { url, message } = request;
    const isCreating = url.operation === 'createConsumer' && body !== undefined;
    this.#createBody = isCreating ? { bytes: body, coding: message.headers['content-encoding'] } : undefined;
    const key = consumerOf(url, this.#createBody);
    this.hash = key === undefined ? undefined : hashText(key);
    const hasHome = key !== undefined && url.operation !== 'createConsumer';
    this.home = hasHome ? homeNow(context, key, { consumerHash: this.hash, localOnly }) : undefined;
    this.#route = new ConsumerRoute({
      home: this.home,
      failedHeader: request.gatewayHeader(FAILED_HEADER),
      releaseHeader: request.gatewayHeader(RELEASE_HEADER),
    });
  }

  /** The target that leads to the owner: after a gateway that was tried without success, another one of its region. */
  placeOfHome(tried: readonly Target[]): Target | undefined {
    const target = this.home?.target;
    if (target === undefined || !tried.includes(target) || !this.#route.hasOwner) return target;
    const { regions } = this.#options.context.regions.snapshot;
    const region = target.bridge === undefined ? regions.find(({ name }) => name === target.region) : undefined;
    return region?.targets.find((one) => one.bridge === undefined && one.isAvailable && !tried.includes(one));
  }

  /** Asks the owner to release the consumer if it should move. Only with polls: clients expect them to take time. */
  moveIfDue(selection: SelectionRequest, nowMs: number): void {
    const { context, request } = this.#options;
    if (this.home === undefined || request.url.operation !== 'poll') return;
    const { snapshot } = context.regions;
    const { returnAfterMs } = snapshot.settings.affinity;
    const reason = whyMove(snapshot, this.home, { request: selection, nowMs, returnAfterMs });
    if (reason === 'drain' || (reason === 'return' && context.returnPace.take(nowMs))) this.#route.askRelease(reason);
  }

  /** Confirms the last delivery to the client. Only the gateway that the client is connected to does. */
  addDelivered(headers: string[]): void {
    const { context, request } = this.#options;
    const { group, instance, operation } = request.url;
    if (request.isFromGateway || group === undefined || instance === undefined) return;
    this.#delivered = context.deliveries.take({ group, instance, principal: request.principal?.name });
    const mark = this.#delivered?.mark ?? (operation === 'poll' ? NOTHING_DELIVERED : undefined);
    if (mark !== undefined) headers.push(DELIVERED_HEADER, mark);
  }

  /** Confirms the delivery to its bridge once the client has the whole response. */
  watchDelivery({ target, headers }: ConsumerResponse, response: ResponseMessage): void {
    const delivery = textOf(headers[DELIVERY_HEADER]);
    const { context, request } = this.#options;
    const { group, instance } = request.url;
    if (delivery === undefined || request.isFromGateway || group === undefined || instance === undefined) return;
    const consumer = { group, instance, principal: request.principal?.name };
    context.deliveries.watch({ consumer, delivery, target }, response);
  }

  /** No bridge responded: it is unknown whether one has read the confirmation. */
  onNoResponse(): void {
    if (this.#delivered !== undefined) this.#options.context.deliveries.putBack(this.#delivered);
  }

  /** The headers of an attempt at `target`. */
  headersAt(target: Target, headers: string[]): string[] {
    return this.#route.headersAt(target, headers);
  }

  /** Where a response 421 leads. */
  misdirected(
    { target, headers }: ConsumerResponse,
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

  /** Notes that the request goes where a response 421 leads. */
  follow(misdirection: FollowedMisdirection): void {
    this.#route.follow(misdirection);
  }

  /** The response in place of `status` to a request that may have been executed before; `undefined`: as it is. */
  responseToRepeated(status: number): RepeatedResponse | undefined {
    const { message, peer, trust, url } = this.#options.request;
    const { headers } = message;
    return responseToRepeated(url.operation, status, {
      instance: nameInCreateRequest(this.#createBody),
      baseUri: (name) =>
        baseUri(
          { headers, host: headers.host ?? '', isForwarded: trust !== 'client', scheme: peer.scheme },
          { group: url.group ?? '', name },
        ),
    });
  }

  /** Remembers the bridge that responded as the consumer's home. */
  learn(
    answer: ConsumerResponse,
    selection: SelectionRequest,
    { status, body }: { status: number; body: Buffer },
  ): void {
    const { context, request } = this.#options;
    const owner = textOf(answer.headers[BRIDGE_HEADER]);
    if (this.#delivered !== undefined && isBeforeConsumer(status, owner)) context.deliveries.refused(this.#delivered);
    // Another region's gateway may have passed it on: the next request goes there directly.
    const place = owner === undefined ? undefined : targetOfOwner(context.regions.snapshot, owner, selection);
    const home = { target: place ?? answer.target, owner };
    learnHome(context.affinity, { url: request.url, known: this.home, home, status, body });
  }
}

/** The remembered home, which moves to another target when that leads to the owner now. */
function homeNow(
  { affinity, regions }: Pick<ExchangeContext, 'affinity' | 'regions'>,
  key: string,
  way: Pick<SelectionRequest, 'consumerHash' | 'localOnly'>,
): Home | undefined {
  const known = affinity.homeOf(key);
  if (known === undefined) return undefined;
  const home = currentHome(regions.snapshot, known, way);
  if (home !== known) affinity.remember(key, home);
  return home;
}

/** Whether the consumer has not seen a request with this response: a gateway on the way made it, or the consumer is another client's. */
function isBeforeConsumer(status: number, bridge: string | undefined): boolean {
  return status === FORBIDDEN || (status >= MIN_ERROR_STATUS && bridge === undefined);
}

function textOf(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' ? header : undefined;
}
