/** The head of a client's request and its peer: read once, for intake, attempts, response and logs. */
import { clientAddress } from '@causeway/config/client-address.ts';
import type { Trust, TrustPolicy } from '@causeway/config/trust.ts';
import { peerOf } from '@causeway/http/connection.ts';
import type { RequestMessage } from '@causeway/http/message.ts';
import { gatewayHeader, isFromGateway, trustOf } from '@causeway/http/trust.ts';
import { IDEMPOTENCY_KEY_HEADER, readKeyHeader } from '@causeway/protocol/idempotency.ts';
import { isProduce } from '@causeway/protocol/operations/table.ts';
import { type ParsedUrl, parseUrl } from '@causeway/protocol/paths.ts';
import { parsePrincipal } from '@causeway/protocol/principal.ts';
import { PRINCIPAL_HEADER } from '@causeway/protocol/routing.ts';
import type { RequestSettings, Snapshot } from '../regions/snapshot.ts';
import type { Admitted, Principal } from './admission.ts';
import type { ClientPeer } from './client-peer.ts';

export interface ClientRequestOptions {
  /** Milliseconds, never going back. */
  readonly now: () => number;
  readonly regions: { readonly snapshot: Pick<Snapshot, 'settings'> };
  readonly trust: TrustPolicy;
}

export class ClientRequest {
  readonly message: RequestMessage;
  readonly method: string;
  /** The request target, with its query. */
  readonly path: string;
  readonly url: ParsedUrl;
  readonly peer: ClientPeer;
  /** How far its headers are trusted. */
  readonly trust: Trust;
  /** When it began, in milliseconds on the clock that never goes back. */
  readonly startMs: number;
  /** The settings at that time: a reload changes later requests only. */
  readonly settings: RequestSettings;
  /** Of a produce request: its client repeats it with the same key; `undefined`: without. */
  readonly idempotencyKey: string | undefined;
  /** Why that header cannot be used. */
  readonly keyProblem: string | undefined;
  /** How it was admitted; `undefined` before, and without a gatekeeper. */
  admitted: Admitted | undefined;
  /** Whose it is, also if it was refused; `undefined` before authentication, and without a gatekeeper. */
  principal: Principal | undefined;
  readonly #policy: TrustPolicy;

  constructor(message: RequestMessage, { now, regions, trust }: ClientRequestOptions) {
    this.message = message;
    this.method = message.method ?? 'GET';
    this.path = message.url ?? '/';
    this.url = parseUrl(this.method, this.path);
    this.startMs = now();
    this.settings = regions.snapshot.settings;
    this.peer = peerOf(message.socket);
    const keyHeader = message.headers[IDEMPOTENCY_KEY_HEADER];
    if (keyHeader !== undefined && isProduce(this.url.operation)) {
      const read = readKeyHeader(keyHeader);
      if (read.kind === 'key') this.idempotencyKey = read.key;
      if (read.kind === 'invalid') this.keyProblem = read.reason;
    }
    this.#policy = trust;
    this.trust = trustOf(trust, this.peer, message);
  }

  /** A gateway of this system sent it. */
  get isFromGateway(): boolean {
    return isFromGateway(this.trust, this.message);
  }

  /** A header that only gateways may set. */
  gatewayHeader(name: string): string | undefined {
    return gatewayHeader(this.trust, this.message, name);
  }

  /** For logs and traces: also where another gateway alone authenticates clients. */
  get principalName(): string | undefined {
    return this.principal?.name ?? parsePrincipal(this.gatewayHeader(PRINCIPAL_HEADER));
  }

  /** The address of the client, from the headers of trusted proxies and gateways. */
  get clientAddress(): string {
    const { headers } = this.message;
    return clientAddress(this.#policy, { peerAddress: this.peer.address, trust: this.trust, headers });
  }
}
