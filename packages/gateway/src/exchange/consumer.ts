/** What an exchange does for a consumer's request: where it is sent first, where an answer 421 leads, what answers teach. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Trust } from '@causeway/config/trust.ts';
import { peerOf } from '@causeway/http/connection.ts';
import { gatewayHeader } from '@causeway/http/trust.ts';
import { baseUri } from '@causeway/protocol/base-uri.ts';
import type { ParsedUrl } from '@causeway/protocol/paths.ts';
import {
  BRIDGE_HEADER,
  DELIVERED_HEADER,
  DELIVERY_HEADER,
  FAILED_HEADER,
  NOTHING_DELIVERED,
  OWNER_HEADER,
  RELEASE_HEADER,
} from '@causeway/protocol/routing.ts';
import type { Affinity, Home } from '../consumers/affinity.ts';
import type { Delivered, Deliveries } from '../consumers/deliveries.ts';
import { type CreateBody, consumerOf, learnHome, nameInCreateRequest } from '../consumers/homes.ts';
import { type ReturnPace, targetOfOwner, whyMove } from '../consumers/owners.ts';
import { ConsumerRoute, type MisdirectionAnswer } from '../consumers/route.ts';
import { hashText, type SelectionRequest } from '../regions/select.ts';
import type { Snapshot } from '../regions/snapshot.ts';
import type { Target } from '../regions/target.ts';
import { answerToRepeated, type RepeatedAnswer } from './consumer-requests.ts';
import type { Identity } from './identity.ts';

/** Misdirected Request (RFC 9110 §15.5.20): the consumer's owner is another bridge. */
export const MISDIRECTED = 421;

export interface ConsumerOptions {
  gateway: {
    readonly regions: { readonly snapshot: Snapshot };
    readonly affinity: Affinity;
    readonly deliveries: Deliveries;
    readonly returnPace: ReturnPace;
    readonly identity: Identity;
  };
  url: ParsedUrl;
  request: IncomingMessage;
  /** The request's body, where it was kept. */
  body: Buffer | undefined;
  trust: Trust;
  /** Of another gateway, which follows what this one does not. */
  isFromGateway: boolean;
}

/** What a target answered. */
export interface ConsumerAnswer {
  readonly target: Target;
  readonly headers: Record<string, string | string[] | undefined>;
}

export class RequestedConsumer {
  /** Of the consumer's name; `undefined` where the bridge is to choose one. */
  readonly hash: number | undefined;
  /** Where this gateway believed the consumer when the request came. */
  readonly home: Home | undefined;
  readonly #options: ConsumerOptions;
  readonly #route: ConsumerRoute;
  readonly #createBody: CreateBody | undefined;
  /** What this request confirms. */
  #delivered: Delivered | undefined;

  constructor(options: ConsumerOptions) {
    this.#options = options;
    const { gateway, url, request, body, trust } = options;
    const isCreating = url.operation === 'createConsumer' && body !== undefined;
    this.#createBody = isCreating ? { bytes: body, coding: request.headers['content-encoding'] } : undefined;
    const key = consumerOf(url, this.#createBody);
    this.hash = key === undefined ? undefined : hashText(key);
    this.home = key === undefined || url.operation === 'createConsumer' ? undefined : gateway.affinity.homeOf(key);
    this.#route = new ConsumerRoute({
      home: this.home,
      failedHeader: gatewayHeader(trust, request, FAILED_HEADER),
      releaseHeader: gatewayHeader(trust, request, RELEASE_HEADER),
    });
  }

  /** Asks the owner to let go, if the consumer is to live elsewhere: at polls alone, which may take a moment longer. */
  moveIfDue(selection: SelectionRequest, nowMs: number): void {
    const { gateway, url } = this.#options;
    if (this.home === undefined || url.operation !== 'poll') return;
    const { snapshot } = gateway.regions;
    const { returnAfterMs } = snapshot.settings.affinity;
    const reason = whyMove(snapshot, this.home, { request: selection, nowMs, returnAfterMs });
    if (reason === 'drain' || (reason === 'return' && gateway.returnPace.take(nowMs))) this.#route.askRelease(reason);
  }

  /** Adds the word on what the client has of its bridge's answers: by the gateway that the client talks to alone. */
  addDelivered(headers: string[]): void {
    const { gateway, url, isFromGateway } = this.#options;
    const { group, instance, operation } = url;
    if (isFromGateway || group === undefined || instance === undefined) return;
    this.#delivered = gateway.deliveries.take({ group, instance });
    const mark = this.#delivered?.mark ?? (operation === 'poll' ? NOTHING_DELIVERED : undefined);
    if (mark !== undefined) headers.push(DELIVERED_HEADER, mark);
  }

  /** An answer goes to the client: when it has all of it, its bridge is to know. */
  watchDelivery({ target, headers }: ConsumerAnswer, response: ServerResponse): void {
    const delivery = textOf(headers[DELIVERY_HEADER]);
    const { gateway, url, isFromGateway } = this.#options;
    const { group, instance } = url;
    if (delivery === undefined || isFromGateway || group === undefined || instance === undefined) return;
    response.once('finish', () => gateway.deliveries.add({ group, instance }, delivery, target));
  }

  /** No bridge has answered: whether one read what the request confirms is not known. */
  onUnanswered(): void {
    if (this.#delivered !== undefined) this.#options.gateway.deliveries.putBack(this.#delivered);
  }

  /** The headers of an attempt at `target`. */
  headersAt(target: Target, headers: string[]): string[] {
    return this.#route.headersAt(target, headers);
  }

  /** What follows an answer 421. */
  follow(
    { target, headers }: ConsumerAnswer,
    selection: SelectionRequest,
    tried: readonly Target[],
  ): MisdirectionAnswer {
    const { gateway, isFromGateway } = this.#options;
    return this.#route.misdirected({
      snapshot: gateway.regions.snapshot,
      request: selection,
      from: target,
      owner: textOf(headers[OWNER_HEADER]),
      isFromGateway,
      ownRegion: gateway.identity.hop.region,
      tried,
    });
  }

  /** What the client is told instead of `status`, if the request may have been executed before; `undefined`: nothing else. */
  answerToRepeated(status: number): RepeatedAnswer | undefined {
    const { request, trust, url } = this.#options;
    const { headers } = request;
    return answerToRepeated(url.operation, status, {
      instance: nameInCreateRequest(this.#createBody),
      baseUri: (name) =>
        baseUri(
          { headers, host: headers.host ?? '', isForwarded: trust !== 'client', scheme: peerOf(request.socket).scheme },
          { group: url.group ?? '', name },
        ),
    });
  }

  /** Remembers where the consumer is: at the bridge that answered, if that said who it is. */
  learn(answer: ConsumerAnswer, selection: SelectionRequest, { status, body }: { status: number; body: Buffer }): void {
    const { gateway, url } = this.#options;
    const owner = textOf(answer.headers[BRIDGE_HEADER]);
    // Another region's gateway may have passed it on: next time it goes there straight away.
    const place = owner === undefined ? undefined : targetOfOwner(gateway.regions.snapshot, owner, selection);
    const home = { target: place ?? answer.target, owner };
    learnHome(gateway.affinity, { url, known: this.home, home, status, body });
  }
}

function textOf(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' ? header : undefined;
}
