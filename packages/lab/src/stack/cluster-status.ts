/** What a bridge knows of its Kafka cluster, asked as gateways do. */
import { CLUSTERS_PATH, type ClusterStatus } from '@causeway/protocol/clusters.ts';
import { GATEWAY_HEADER, OPERATOR_HEADER, SECRET_HEADER } from '@causeway/protocol/routing.ts';
import { type Dispatcher, request } from 'undici';

const TIMEOUT_MS = 1_000;
const SENDER = 'lab';

/** `undefined` if it does not respond. */
export async function askClusterStatus(
  bridgeUrl: string,
  { agent, secret }: { agent: Dispatcher; secret: string },
): Promise<ClusterStatus | undefined> {
  try {
    const { statusCode, body } = await request(`${bridgeUrl}${CLUSTERS_PATH}`, {
      dispatcher: agent,
      headers: { [SECRET_HEADER]: secret, [GATEWAY_HEADER]: SENDER, [OPERATOR_HEADER]: SENDER },
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
    });
    if (statusCode === 200) return (await body.json()) as ClusterStatus;
    await body.dump();
    return undefined;
  } catch {
    return undefined;
  }
}
