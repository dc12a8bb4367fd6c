/** The part of an exchange that concerns a consumer: where the request goes first, where a response 421 leads, deliveries. */
import type { ResponseMessage } from '@causeway/http/message.ts';
import { baseUri } from '@causeway/protocol/base-uri.ts';
import { hashText } from '@causeway/protocol/hash-text.ts';
import { DELIVERED_HEADER, DELIVERY_HEADER, NOTHING_DELIVERED } from '@causeway/protocol/routing.ts';
import { type CreateBody, nameInCreateRequest } from '../consumers/create-body.ts';
import type { Delivered } from '../consumers/deliveries.ts';
import { consumerOf, learnHome } from '../consumers/homes.ts';
import { whyMove } from '../ownership/moves.ts';
import { homeOfResponse, rememberedHome, type TargetResponse, textOf } from '../ownership/owners.ts';
import type { Misdirection, OwnerRoute } from '../ownership/route.ts';
import type { SelectionRequest } from '../regions/select.ts';
import type { Target } from '../regions/target.ts';
import type { ClientRequest } from './client-request.ts';
import { type RepeatedResponse, responseToRepeated } from './consumer-requests.ts';
import type { ExchangeContext } from './context.ts';
import { misdirectionOf, type OwnedRequest, routeTo } from './owned-request.ts';

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

export class RequestedConsumer implements OwnedRequest {
  readonly hash: number | undefined;
  readonly route: OwnerRoute;
  readonly #options: RequestedConsumerOptions;
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
    const way = { ownedHash: this.hash, localOnly };
    const home = hasHome ? rememberedHome(context.affinity, key, context.regions.snapshot, way) : undefined;
    this.route = routeTo(home, request);
  }

  /** Only with polls: clients expect them to take time. */
  moveIfDue(selection: SelectionRequest, nowMs: number): void {
    const { context, request } = this.#options;
    const { home } = this.route;
    if (home === undefined || request.url.operation !== 'poll') return;
    const { snapshot } = context.regions;
    const { returnAfterMs } = snapshot.settings.affinity;
    const reason = whyMove(snapshot, home, { request: selection, nowMs, returnAfterMs });
    if (reason === 'drain' || (reason === 'return' && context.returnPace.take(nowMs))) this.route.askRelease(reason);
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
  watchDelivery({ target, headers }: TargetResponse, response: ResponseMessage): void {
    const delivery = textOf(headers[DELIVERY_HEADER]);
    const { context, request } = this.#options;
    const { group, instance } = request.url;
    if (delivery === undefined || request.isFromGateway || group === undefined || instance === undefined) return;
    const consumer = { group, instance, principal: request.principal?.name };
    context.deliveries.watch({ consumer, delivery, target }, response);
  }

  /** It is unknown whether a bridge has read the confirmation. */
  onNoResponse(): void {
    if (this.#delivered !== undefined) this.#options.context.deliveries.putBack(this.#delivered);
  }

  /** Another bridge adopts the consumer of a bridge that is full. */
  isHeldUp(): boolean {
    return false;
  }

  misdirected(response: TargetResponse, selection: SelectionRequest, tried: readonly Target[]): Misdirection {
    const { context, request } = this.#options;
    return misdirectionOf(response, { context, request, route: this.route, selection, tried });
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

  learn(answer: TargetResponse, selection: SelectionRequest, { status, body }: { status: number; body: Buffer }): void {
    const { context, request } = this.#options;
    const home = homeOfResponse(context.regions.snapshot, answer, selection);
    if (this.#delivered !== undefined && isBeforeConsumer(status, home.owner))
      context.deliveries.refused(this.#delivered);
    learnHome(context.affinity, { url: request.url, known: this.route.home, home, status, body });
  }
}

/** Whether the consumer has not seen a request with this response: a gateway on the way made it, or the consumer is another client's. */
function isBeforeConsumer(status: number, bridge: string | undefined): boolean {
  return status === FORBIDDEN || (status >= MIN_ERROR_STATUS && bridge === undefined);
}
