/** The requests of a gateway to the bridges of a Kafka cluster: who is active there, and changes of it. */
import {
  CLUSTERS_PATH,
  ClusterStatus,
  LossReport,
  PREPARE_PATH,
  PROMOTE_PATH,
  PROMOTION_HEADER,
  PreparedReplication,
  type PrepareRequest,
  type PromoteRequest,
  PromoteResponse,
  type Promotion,
  PromotionSchema,
  parsePromotion,
  REJOIN_PATH,
  REPLICATION_ENDED_PATH,
  type RejoinRequest,
  type ReplicationEnd,
  TAIL_PATH,
  TailRecords,
  type TailRequest,
} from '@causeway/protocol/clusters.ts';
import { GATEWAY_HEADER, OPERATOR_HEADER } from '@causeway/protocol/routing.ts';
import { type Static, type TSchema, Type } from 'typebox';
import Value from 'typebox/value';
import { type FetchedResponse, fetchOnce } from '../upstream/fetch-once.ts';
import type { Transport } from '../upstream/transport.ts';

/** A bridge, or a gateway of its region, which passes the request on to one. */
export interface ClusterPeer {
  readonly region: string;
  readonly transport: Transport;
}

/** How this gateway proves that it is one. */
export interface Sender {
  readonly entry: string;
  readonly proof: readonly string[];
}

/** `promotion`: the highest one that the bridge knows, also in a refusal. */
export type ClusterAnswer<Result> = { promotion: Promotion | undefined } & (
  | { kind: 'done'; result: Result }
  | { kind: 'refused'; status: number; message: string }
);

export interface AskOptions {
  readonly sender: Sender;
  readonly signal: AbortSignal;
}

/** A status has at most 100 topics and 10 reports; records of a tail have 1 MiB and the last of them. */
const MAX_BODY_BYTES = 67_108_864;
const JSON_TYPE = 'application/json';

/** Errors: those of `fetchOnce`, and `Error` for an invalid response. */
export function askStatus(peer: ClusterPeer, options: AskOptions): Promise<ClusterAnswer<ClusterStatus>> {
  return ask(peer, { method: 'GET', path: CLUSTERS_PATH, body: undefined, schema: ClusterStatus }, options);
}

/** As {@link askStatus}. It may arrive twice: the second time the cluster is active already. */
export function askPromotion(
  peer: ClusterPeer,
  request: PromoteRequest,
  options: AskOptions,
): Promise<ClusterAnswer<PromoteResponse>> {
  return ask(peer, { method: 'POST', path: PROMOTE_PATH, body: request, schema: PromoteResponse }, options);
}

const RejoinResponse = Type.Object({ promotion: PromotionSchema, report: Type.Union([LossReport, Type.Null()]) });
export type RejoinResponse = Static<typeof RejoinResponse>;

/** As {@link askStatus}. */
export function askRejoin(
  peer: ClusterPeer,
  request: RejoinRequest,
  options: AskOptions,
): Promise<ClusterAnswer<RejoinResponse>> {
  return ask(peer, { method: 'POST', path: REJOIN_PATH, body: request, schema: RejoinResponse }, options);
}

/** As {@link askStatus}. */
export function askPreparation(
  peer: ClusterPeer,
  request: PrepareRequest,
  options: AskOptions,
): Promise<ClusterAnswer<PreparedReplication>> {
  return ask(peer, { method: 'POST', path: PREPARE_PATH, body: request, schema: PreparedReplication }, options);
}

const ReplicationEnded = Type.Object({ promotion: PromotionSchema });

/** As {@link askStatus}. */
export function askReplicationEnd(
  peer: ClusterPeer,
  request: ReplicationEnd,
  options: AskOptions,
): Promise<ClusterAnswer<Static<typeof ReplicationEnded>>> {
  return ask(peer, { method: 'POST', path: REPLICATION_ENDED_PATH, body: request, schema: ReplicationEnded }, options);
}

/** As {@link askStatus}. */
export function askTail(
  peer: ClusterPeer,
  request: TailRequest,
  options: AskOptions,
): Promise<ClusterAnswer<TailRecords>> {
  return ask(peer, { method: 'POST', path: TAIL_PATH, body: request, schema: TailRecords }, options);
}

interface Question<Schema extends TSchema> {
  method: 'GET' | 'POST';
  path: string;
  body: object | undefined;
  schema: Schema;
}

async function ask<Schema extends TSchema>(
  { transport }: ClusterPeer,
  { method, path, body, schema }: Question<Schema>,
  { sender, signal }: AskOptions,
): Promise<ClusterAnswer<Static<Schema>>> {
  const { entry, proof } = sender;
  const content = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  const headers = ['accept', JSON_TYPE, GATEWAY_HEADER, entry, OPERATOR_HEADER, entry, ...proof];
  if (content !== undefined) headers.push('content-type', JSON_TYPE);
  const response = await fetchOnce(
    transport,
    { method, path, headers },
    { signal, maxBodyBytes: MAX_BODY_BYTES, ...(content === undefined ? {} : { body: content }) },
  );
  return read(response, schema);
}

function read<Schema extends TSchema>(
  { status, headers, body }: FetchedResponse,
  schema: Schema,
): ClusterAnswer<Static<Schema>> {
  const header = headers[PROMOTION_HEADER];
  const promotion = parsePromotion(typeof header === 'string' ? header : undefined);
  const text = body.toString();
  if (status !== 200) return { kind: 'refused', promotion, status, message: messageOf(text) ?? `response ${status}` };
  // A newer bridge may say more.
  const result = Value.Clean(schema, JSON.parse(text) as unknown);
  if (!Value.Check(schema, result)) throw new Error('its response is not one of a bridge');
  return { kind: 'done', promotion, result };
}

function messageOf(text: string): string | undefined {
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    return typeof message === 'string' ? message : undefined;
  } catch {
    return undefined;
  }
}
