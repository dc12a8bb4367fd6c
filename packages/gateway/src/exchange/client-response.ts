/** Responds to the client: with a target's response, held or streamed, or with the gateway's own. */
import type { RequestHead } from '@causeway/http/message.ts';
import { FAULT_OF_CLUSTER, PROMOTION_HEADER } from '@causeway/protocol/clusters.ts';
import { KAFKA_V2 } from '@causeway/protocol/content-types.ts';
import { FAULT_HEADER, FAULT_OF_REQUEST, SUSPECT_HEADER } from '@causeway/protocol/routing.ts';
import type { GatewayError } from '../errors.ts';
import type { SelectionRequest } from '../regions/select.ts';
import type { Attempt } from './attempt.ts';
import type { ClientRequest } from './client-request.ts';
import type { RequestedConsumer } from './consumer.ts';
import type { ExchangeContext } from './context.ts';
import { responseHeaders } from './headers.ts';
import { isFaultOfRequest } from './own-errors.ts';
import type { OwnedRequest } from './owned-request.ts';
import { ResponseWriter, type ResponseWriterOptions } from './response-writer.ts';

export interface ClientResponseOptions extends ResponseWriterOptions {
  readonly context: ExchangeContext;
  readonly request: ClientRequest;
}

/** What a response depends on beside its attempt. */
export interface SentRequest extends SelectionRequest {
  readonly owned: OwnedRequest | undefined;
  readonly consumer: RequestedConsumer | undefined;
  /** A target that was lost may have executed it. */
  readonly mayHaveBeenExecuted: boolean;
}

/** The number of targets lost under a request: by all gateways on its way, and by this one. */
export interface Losses {
  readonly lossCount: number;
  readonly ownLossCount: number;
}

const NO_BODY = Buffer.alloc(0);
const NO_HEADERS: readonly string[] = [];
const NO_LOSSES: Losses = { lossCount: 0, ownLossCount: 0 };

export class ClientResponse {
  readonly #options: ClientResponseOptions;
  readonly #writer: ResponseWriter;
  /** Sent with every response, for pages of other origins. */
  #corsHeaders: readonly string[] = NO_HEADERS;
  /** Sent with every response: what is left of the principal's quota. */
  #quotaHeaders: readonly string[] = NO_HEADERS;

  constructor(options: ClientResponseOptions) {
    this.#options = options;
    this.#writer = new ResponseWriter(options);
  }

  /** The client has a part of the response. */
  get isStreaming(): boolean {
    return this.#writer.isStreaming;
  }

  /** 0: none was sent. */
  get status(): number {
    return this.#writer.status;
  }

  /** Bytes of the body that were written to the connection. */
  get sentBytes(): number {
    return this.#writer.sentBytes;
  }

  addCorsHeaders(message: RequestHead): void {
    const { cors } = this.#options.context;
    if (cors !== undefined) this.#corsHeaders = cors.headersFor(message);
  }

  addQuotaHeaders(headers: readonly string[]): void {
    this.#quotaHeaders = headers;
  }

  get #ownHeaders(): readonly string[] {
    return this.#quotaHeaders.length === 0 ? this.#corsHeaders : [...this.#corsHeaders, ...this.#quotaHeaders];
  }

  /** A success of the gateway itself. */
  sendEmpty(status: number, headers: readonly string[]): void {
    const declaredLength = status === 204 ? undefined : '0';
    this.#writer.send(status, [...this.#ownHeaders, ...headers], NO_BODY, declaredLength);
  }

  /** An error of the gateway itself; `losses` are for the gateway before this one. */
  sendError(error: GatewayError, more: { losses: Losses | undefined; headers: readonly string[] | undefined }): void {
    const headers = ['content-type', KAFKA_V2, ...this.#ownHeaders, ...(more.headers ?? NO_HEADERS)];
    if (error.retryAfterSeconds !== undefined) headers.push('retry-after', String(error.retryAfterSeconds));
    if (this.#options.request.isFromGateway) {
      const { lossCount, ownLossCount } = more.losses ?? NO_LOSSES;
      if (isFaultOfRequest(error, lossCount)) headers.push(FAULT_HEADER, FAULT_OF_REQUEST);
      if (ownLossCount > 0) headers.push(SUSPECT_HEADER, String(ownLossCount));
      this.#addClusterFault(error, headers);
    }
    if (error.allow !== undefined) headers.push('allow', error.allow);
    const body = Buffer.from(JSON.stringify(error.toBody()));
    this.#writer.send(error.status, headers, body, String(body.length));
  }

  /** The Kafka cluster of this gateway's region stands by, and it reaches no other one: the gateway before this one may. */
  #addClusterFault({ code }: GatewayError, headers: string[]): void {
    const { regions, clusters } = this.#options.context.regions.snapshot;
    if (code !== 'noRegionAvailable' || clusters === undefined) return;
    if (!regions.some(({ isLocal, standsBy }) => isLocal && standsBy)) return;
    headers.push(FAULT_HEADER, FAULT_OF_CLUSTER, PROMOTION_HEADER, clusters.promotion);
  }

  /** Sends the response of an attempt, or ends it if it was streamed. Returns the status that the client gets. */
  send(attempt: Attempt, sent: SentRequest): number {
    if (this.#writer.isStreaming) {
      this.#writer.endStream();
      return attempt.status;
    }
    return attempt.isCut ? this.#sendCut(attempt) : this.#sendHeld(attempt, sent);
  }

  /** Begins a response that is too long to be held. */
  startStream(attempt: Attempt, sent: SentRequest): void {
    const { status } = attempt;
    sent.owned?.learn(attempt, sent, { status, body: NO_BODY });
    sent.consumer?.watchDelivery(attempt, this.#options.response);
    const headers = this.#headersOf(attempt);
    const length = attempt.headers['content-length'];
    if (typeof length === 'string') headers.push('content-length', length);
    this.#writer.startStream(status, headers, attempt.chunks);
  }

  /** Writes a chunk of a streamed response; `false`: the next one has to wait for `onDrain`. */
  writeChunk(chunk: Buffer, onDrain: () => void): boolean {
    return this.#writer.writeChunk(chunk, onDrain);
  }

  /** Closes the connection, so that the client notices that the response is incomplete. */
  breakOff(): void {
    this.#writer.breakOff();
  }

  #sendHeld(attempt: Attempt, sent: SentRequest): number {
    const { owned, consumer } = sent;
    const body = attempt.chunks.length === 1 ? (attempt.chunks[0] as Buffer) : Buffer.concat(attempt.chunks);
    consumer?.watchDelivery(attempt, this.#options.response);
    const repeated = sent.mayHaveBeenExecuted ? consumer?.responseToRepeated(attempt.status) : undefined;
    if (repeated !== undefined) {
      owned?.learn(attempt, sent, repeated);
      const type = repeated.body.length === 0 ? NO_HEADERS : ['content-type', KAFKA_V2];
      this.#writer.send(repeated.status, [...this.#ownHeaders, ...type], repeated.body);
      return repeated.status;
    }
    const { status } = attempt;
    owned?.learn(attempt, sent, { status, body });
    const declared = attempt.headers['content-length'];
    this.#writer.send(status, this.#headersOf(attempt), body, typeof declared === 'string' ? declared : undefined);
    return status;
  }

  /** In place of a body that was too long to be held, of a status that is not streamed. */
  #sendCut({ status, target }: Attempt): number {
    const body = { error_code: status, message: `Region ${target.region} answered ${status}.` };
    this.#writer.send(status, ['content-type', KAFKA_V2, ...this.#ownHeaders], Buffer.from(JSON.stringify(body)));
    return status;
  }

  #headersOf(attempt: Attempt): string[] {
    const headers = responseHeaders(attempt.headers, {
      isPeerGateway: this.#options.request.isFromGateway,
      identity: this.#options.context.identity,
    });
    for (const text of this.#quotaHeaders) headers.push(text);
    // A bridge's own CORS headers take precedence.
    if (this.#corsHeaders.length > 0 && attempt.headers['access-control-allow-origin'] === undefined) {
      headers.push(...this.#corsHeaders);
    }
    return headers;
  }
}
