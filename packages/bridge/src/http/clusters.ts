/** What gateways ask of a bridge about its Kafka cluster: its status, its promotion, its return, and the replication to it. */
import {
  PROMOTION_HEADER,
  PrepareRequest,
  PromoteRequest,
  RejoinRequest,
  ReplicationEnd,
  TailRequest,
} from '@causeway/protocol/clusters.ts';
import type { FastifyReply } from 'fastify';
import type { Clusters } from '../clusters/clusters.ts';
import { BridgeError } from '../errors.ts';
import { decodeBody, isEmptyBody } from './request-body.ts';
import { respond } from './responses.ts';
import type { ApiServer } from './server.ts';
import { runAtOnce } from './sliced-work.ts';

const JSON_TYPE = 'application/json';

export function addClusterRoutes(server: ApiServer, clusters: Clusters): void {
  const respondWith = (reply: FastifyReply, value: unknown): FastifyReply => {
    const { promotionHeader } = clusters.state;
    if (promotionHeader !== undefined) reply.header(PROMOTION_HEADER, promotionHeader);
    return respond(reply, JSON.stringify(value), JSON_TYPE);
  };
  server.onClusters('clusterStatus', async (_body, reply) => respondWith(reply, clusters.status()));
  server.onClusters('promoteCluster', async (body, reply) => {
    if (isEmptyBody(body)) throw new BridgeError('bodyMissing');
    const request = runAtOnce(decodeBody(body, PromoteRequest)) as PromoteRequest;
    return respondWith(reply, await clusters.promoter.promote(request));
  });
  server.onClusters('rejoinCluster', async (body, reply) => {
    const request = isEmptyBody(body) ? {} : (runAtOnce(decodeBody(body, RejoinRequest)) as RejoinRequest);
    return respondWith(reply, await clusters.rejoiner.rejoin(request));
  });
  server.onClusters('prepareReplication', async (body, reply) => {
    const request = isEmptyBody(body) ? {} : (runAtOnce(decodeBody(body, PrepareRequest)) as PrepareRequest);
    return respondWith(reply, await clusters.preparer.prepare(request));
  });
  server.onClusters('endReplication', async (body, reply) => {
    if (isEmptyBody(body)) throw new BridgeError('bodyMissing');
    const request = runAtOnce(decodeBody(body, ReplicationEnd)) as ReplicationEnd;
    return respondWith(reply, await clusters.preparer.endReplication(request));
  });
  server.onClusters('readTail', async (body, reply) => {
    if (isEmptyBody(body)) throw new BridgeError('bodyMissing');
    const request = runAtOnce(decodeBody(body, TailRequest)) as TailRequest;
    return respondWith(reply, await clusters.rejoiner.readTail(request));
  });
}
