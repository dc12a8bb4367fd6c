/** Routes about Kafka clusters: what they are, which one is to become active, which one may stand by again, and where replication to it begins. */
import {
  KafkaClusters,
  Promoted,
  PromoteOptions,
  Rejoined,
  ReplicationEndOptions,
} from '@causeway/protocol/admin/model.ts';
import {
  formatPromotion,
  PreparedReplication,
  PrepareRequest,
  RejoinRequest,
  TailRecords,
  TailRequest,
} from '@causeway/protocol/clusters.ts';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import {
  type AskOptions,
  askPreparation,
  askRejoin,
  askReplicationEnd,
  askTail,
  type ClusterAnswer,
  type ClusterPeer,
  type Sender,
} from '../clusters/cluster-requests.ts';
import type { Promoter } from '../clusters/promoter.ts';
import { GatewayError } from '../errors.ts';
import { reasonOf } from './admin-client.ts';
import { type ClusterSources, describeClusters } from './clusters.ts';

export interface ClusterRoutesOptions extends ClusterSources {
  promoter: Promoter;
  sender: () => Sender;
}

interface OfCluster {
  Params: { cluster: string };
}

const ofCluster = Type.Object({ cluster: Type.String({ description: 'Name of a Kafka cluster.' }) });
/** A bridge counts the records of a long tail. */
const REJOIN_TIMEOUT_MS = 60_000;

export function addClusterRoutes(app: FastifyInstance, options: ClusterRoutesOptions): void {
  app.get('/api/clusters', {
    schema: {
      operationId: 'clusters',
      summary: 'The Kafka clusters: which one is active, since when and why, and what replication lacks.',
      response: { 200: KafkaClusters },
    },
    config: { errors: [404] },
    handler: () => describe(options),
  });
  app.post<OfCluster & { Body: PromoteOptions }>('/api/clusters/:cluster/promote', {
    schema: {
      operationId: 'promote',
      summary:
        'Makes a Kafka cluster the active one: without a loss while both are alive. It lasts, whatever the configuration says.',
      params: ofCluster,
      body: PromoteOptions,
      response: { 200: Promoted },
    },
    config: { errors: [400, 404, 409, 415] },
    // Without a body nothing is forced.
    preValidation: acceptNoBody,
    handler: (request) => promote(request, options),
  });
  app.post<OfCluster & { Body: RejoinRequest }>('/api/clusters/:cluster/rejoin', {
    schema: {
      operationId: 'rejoin',
      summary: 'Lets a fenced Kafka cluster stand by again, and reports what it has and the active one lacks.',
      params: ofCluster,
      body: RejoinRequest,
      response: { 200: Rejoined },
    },
    config: { errors: [400, 404, 409, 415, 502] },
    // Without a body a report is needed.
    preValidation: acceptNoBody,
    handler: (request) => rejoin(request, options),
  });
  app.post<OfCluster & { Body: PrepareRequest }>('/api/clusters/:cluster/prepare', {
    schema: {
      operationId: 'prepare',
      summary:
        'Prepares the replication to a Kafka cluster that stands by: MirrorMaker, which must not run, begins behind what that has already.',
      params: ofCluster,
      body: PrepareRequest,
      response: { 200: PreparedReplication },
    },
    config: { errors: [400, 404, 409, 415, 502] },
    // Without a body the positions are written.
    preValidation: acceptNoBody,
    handler: (request) => prepare(request, options),
  });
  app.post<OfCluster & { Body: ReplicationEndOptions }>('/api/clusters/:cluster/replication-ended', {
    schema: {
      operationId: 'endReplication',
      summary:
        'Says that MirrorMaker does not fill the active Kafka cluster any more, so that replication from it may begin: two directions at once copy each record for ever.',
      params: ofCluster,
      body: ReplicationEndOptions,
      response: { 200: KafkaClusters },
    },
    config: { errors: [400, 404, 409, 415, 502] },
    // Without a body it has ended since the last promotion.
    preValidation: acceptNoBody,
    handler: (request) => endReplication(request, options),
  });
  app.post<OfCluster & { Body: TailRequest }>('/api/clusters/:cluster/tail', {
    schema: {
      operationId: 'readTail',
      summary: 'Returns records that a lost cluster alone has, of a range in its final report, some at a time.',
      params: ofCluster,
      body: TailRequest,
      response: { 200: TailRecords },
    },
    config: { errors: [400, 404, 409, 415, 502] },
    handler: (request) => readTail(request, options),
  });
}

/** An omitted body is an empty one. */
async function acceptNoBody(request: FastifyRequest): Promise<void> {
  request.body ??= {};
}

async function promote(
  request: FastifyRequest<OfCluster & { Body: PromoteOptions }>,
  options: ClusterRoutesOptions,
): Promise<Promoted> {
  const { clusters, promoter } = options;
  const { cluster } = request.params;
  assertKnown(options, cluster);
  const before = nameOf(clusters.promotion);
  const operator = `operator ${request.caller?.name ?? 'unknown'}`;
  const isForced = request.body.force === true;
  const mayLose = isForced || promoter.isActiveDown;
  request.change = `promotion of cluster ${cluster}${mayLose ? ', which may lose records' : ''}`;
  const result = await promoter.promote({
    cluster,
    by: operator,
    reason: `${operator} asked for it`,
    mayLose,
    isForced,
  });
  if (result.kind === 'refused') throw new GatewayError('clusterRefused', result.message);
  const { promotion, kind, report } = result.response;
  request.change = `active cluster: ${before} → ${nameOf(promotion)} (${kind})`;
  return { promotion, kind, report, clusters: describe(options) };
}

async function rejoin(
  request: FastifyRequest<OfCluster & { Body: RejoinRequest }>,
  options: ClusterRoutesOptions,
): Promise<Rejoined> {
  const { cluster } = request.params;
  assertKnown(options, cluster);
  const { isPeerGone = false } = request.body;
  request.change = `cluster ${cluster} may stand by again${isPeerGone ? ', without a report' : ''}`;
  const result = await askBridge(cluster, (peer, asking) => askRejoin(peer, { isPeerGone }, asking), options);
  return { ...result, clusters: describe(options) };
}

async function prepare(
  request: FastifyRequest<OfCluster & { Body: PrepareRequest }>,
  options: ClusterRoutesOptions,
): Promise<PreparedReplication> {
  const { cluster } = request.params;
  assertKnown(options, cluster);
  request.change = `replication to cluster ${cluster} prepared`;
  return await askBridge(cluster, (peer, asking) => askPreparation(peer, request.body, asking), options);
}

async function endReplication(
  request: FastifyRequest<OfCluster & { Body: ReplicationEndOptions }>,
  options: ClusterRoutesOptions,
): Promise<KafkaClusters> {
  const { cluster } = request.params;
  assertKnown(options, cluster);
  const { promotion: number = options.clusters.promotion?.number ?? 0 } = request.body;
  const ended = { promotion: { number, cluster }, by: `operator ${request.caller?.name ?? 'unknown'}` };
  request.change = `the replication to cluster ${cluster} has ended`;
  await askBridge(cluster, (peer, asking) => askReplicationEnd(peer, ended, asking), options);
  return describe(options);
}

async function readTail(
  request: FastifyRequest<OfCluster & { Body: TailRequest }>,
  options: ClusterRoutesOptions,
): Promise<TailRecords> {
  const { cluster } = request.params;
  assertKnown(options, cluster);
  const { topic, partition, from, to } = request.body;
  request.change = `records ${from} to ${to} of ${topic}-${partition} were read from cluster ${cluster}`;
  return await askBridge(cluster, (peer, asking) => askTail(peer, request.body, asking), options);
}

/** Errors: `regionFailed`, `clusterRefused`. */
async function askBridge<Result>(
  cluster: string,
  ask: (peer: ClusterPeer, options: AskOptions) => Promise<ClusterAnswer<Result>>,
  { statuses, sender, clusters }: ClusterRoutesOptions,
): Promise<Result> {
  const peer = statuses.peerOf(cluster);
  if (peer === undefined) {
    throw new GatewayError('regionFailed', `No region of cluster ${cluster} has an available target.`);
  }
  const asking = ask(peer, { sender: sender(), signal: AbortSignal.timeout(REJOIN_TIMEOUT_MS) });
  const answer = await asking.catch((error: unknown) => {
    throw new GatewayError('regionFailed', `A bridge of cluster ${cluster} did not respond: ${reasonOf(error)}.`);
  });
  clusters.learn(answer.promotion, `region ${peer.region} reports it`);
  if (answer.kind === 'refused') throw new GatewayError('clusterRefused', answer.message);
  return answer.result;
}

function describe(sources: ClusterSources): KafkaClusters {
  const described = describeClusters(sources);
  if (described !== null) return described;
  throw new GatewayError('unknownCluster', 'This gateway has no section clusters: all regions speak to one Kafka.');
}

function assertKnown(sources: ClusterSources, cluster: string): void {
  const { members } = describe(sources);
  if (members.some(({ name }) => name === cluster)) return;
  const known = members.map(({ name }) => name).join(', ');
  throw new GatewayError('unknownCluster', `There is no Kafka cluster ${cluster} (known: ${known}).`);
}

function nameOf(promotion: { number: number; cluster: string } | undefined): string {
  return promotion === undefined ? 'unknown' : formatPromotion(promotion);
}
