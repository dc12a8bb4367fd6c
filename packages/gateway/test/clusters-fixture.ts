/** Stand-ins for the bridges of two Kafka clusters, and a gateway in front of them. */
import type { GatewayOptions } from '@causeway/gateway/gateway.ts';
import {
  CLUSTER_HEADER,
  CLUSTERS_PATH,
  type ClusterMode,
  FAULT_OF_CLUSTER,
  PROMOTE_PATH,
  PROMOTION_HEADER,
  type PromoteRequest,
} from '@causeway/protocol/clusters.ts';
import { BRIDGE_HEADER, FAULT_HEADER } from '@causeway/protocol/routing.ts';
import type { ConfigOverrides, TestGateway } from '../../../test/harness/gateway.ts';
import {
  answerJson,
  type Upstream,
  type UpstreamHandler,
  type UpstreamRequest,
} from '../../../test/harness/upstream.ts';
import { gateway, upstream } from './fixture.ts';

interface PromoteAnswer {
  status: number;
  body: object;
}

/** A bridge of the cluster that has the name of its region. */
export interface ClusterBridge extends Upstream {
  /** Responds to requests of clients while the cluster is active. */
  serve: UpstreamHandler;
  /** Changes what it reports, and how it responds: it serves only as `active`. */
  become(mode: ClusterMode, promotion: string): void;
  /** Responds to requests to promote its cluster. By default it obeys. */
  promote: (request: PromoteRequest, bridge: ClusterBridge) => PromoteAnswer | Promise<PromoteAnswer>;
  /** The requests of clients. */
  readonly served: UpstreamRequest[];
  readonly promotions: PromoteRequest[];
}

export async function clusterBridge(
  name: string,
  mode: ClusterMode,
  promotion: string,
  serve: UpstreamHandler = answerJson({ from: name }),
): Promise<ClusterBridge> {
  const started = await upstream();
  let state = { mode, promotion };
  const bridge: ClusterBridge = Object.assign(started, {
    serve,
    become(newMode: ClusterMode, newPromotion: string) {
      state = { mode: newMode, promotion: newPromotion };
      bridge.clusterHeaders = { [CLUSTER_HEADER]: `${name};${newMode}`, [PROMOTION_HEADER]: newPromotion };
    },
    promote: obey(name),
    served: [],
    promotions: [],
  });
  bridge.handle = (request, response) => {
    if (request.url === PROMOTE_PATH) {
      const asked = JSON.parse(request.body) as PromoteRequest;
      bridge.promotions.push(asked);
      void Promise.resolve(bridge.promote(asked, bridge)).then(({ status, body }) =>
        response
          .writeHead(status, { 'content-type': 'application/json', [PROMOTION_HEADER]: state.promotion })
          .end(JSON.stringify(body)),
      );
      return;
    }
    // Gateways ask each second what the cluster does.
    if (request.url !== CLUSTERS_PATH) bridge.served.push(request);
    if (state.mode === 'active') bridge.serve(request, response);
    else refuse(name, state)(request, response);
  };
  bridge.bridge = `${name}/bridge`;
  bridge.become(mode, promotion);
  return bridge;
}

function obey(name: string): ClusterBridge['promote'] {
  return ({ after }, bridge) => {
    const promotion = { number: after.number + 1, cluster: name };
    bridge.become('active', `${promotion.number};${name}`);
    return { status: 200, body: { promotion, kind: 'forced', report: null } };
  };
}

/** As a bridge whose cluster does not serve clients. */
function refuse(name: string, { mode, promotion }: { mode: ClusterMode; promotion: string }): UpstreamHandler {
  return (_, response) => {
    const body = JSON.stringify({ error_code: 503, message: `Kafka cluster ${name} is ${mode}` });
    response
      .writeHead(503, {
        'content-type': 'application/vnd.kafka.v2+json',
        [BRIDGE_HEADER]: `${name}/bridge`,
        [FAULT_HEADER]: FAULT_OF_CLUSTER,
        [PROMOTION_HEADER]: promotion,
        'retry-after': '1',
      })
      .end(body);
  };
}

export function twoClusters(
  { east, west }: { east: Upstream; west: Upstream },
  clusters: Record<string, unknown> = {},
): ConfigOverrides {
  return {
    regions: [
      { name: 'east', targets: [{ url: east.url }] },
      { name: 'west', targets: [{ url: west.url }] },
    ],
    clusters: {
      active: 'east',
      members: [
        { name: 'east', regions: ['east'] },
        { name: 'west', regions: ['west'] },
      ],
      ...clusters,
    },
  };
}

/** East is active by its first promotion, west stands by. */
export async function eastAndWest(
  overrides: ConfigOverrides = {},
  options: Partial<GatewayOptions> = {},
): Promise<{ east: ClusterBridge; west: ClusterBridge; gw: TestGateway }> {
  const east = await clusterBridge('east', 'active', '1;east');
  const west = await clusterBridge('west', 'standby', '1;east');
  const { clusters, ...others } = overrides;
  const yaml = twoClusters({ east, west }, clusters as Record<string, unknown> | undefined);
  const gw = await gateway({ ...yaml, ...others }, options);
  return { east, west, gw };
}
