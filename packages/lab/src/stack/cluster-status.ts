/** Asks a bridge about its Kafka cluster, as gateways do. */
import {
  CLUSTERS_PATH,
  type ClusterStatus,
  PREPARE_PATH,
  type Promotion,
  REPLICATION_ENDED_PATH,
} from '@causeway/protocol/clusters.ts';
import { GATEWAY_HEADER, OPERATOR_HEADER, SECRET_HEADER } from '@causeway/protocol/routing.ts';
import { type Dispatcher, request } from 'undici';
import { LabError } from '../errors.ts';

const TIMEOUT_MS = 1_000;
/** Of a bridge that reads and writes positions. */
const CHANGE_TIMEOUT_MS = 40_000;
const SENDER = 'lab';

export interface Asking {
  agent: Dispatcher;
  secret: string;
}

/** What it knows; `undefined` if it does not respond. */
export async function askClusterStatus(bridgeUrl: string, asking: Asking): Promise<ClusterStatus | undefined> {
  try {
    const { statusCode, body } = await request(`${bridgeUrl}${CLUSTERS_PATH}`, {
      ...senderOf(asking),
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

/** Lets it prepare the replication to its cluster, which stands by. Errors: `refused`; those of undici. */
export async function prepareReplication(bridgeUrl: string, asking: Asking): Promise<void> {
  await change(`${bridgeUrl}${PREPARE_PATH}`, {}, asking);
}

/** Lets it note that MirrorMaker does not fill its cluster any more, which this promotion made the active one. Errors: as for {@link prepareReplication}. */
export async function endReplication(bridgeUrl: string, promotion: Promotion, asking: Asking): Promise<void> {
  await change(`${bridgeUrl}${REPLICATION_ENDED_PATH}`, { promotion, by: SENDER }, asking);
}

async function change(url: string, content: object, asking: Asking): Promise<void> {
  const { statusCode, body } = await request(url, {
    method: 'POST',
    ...senderOf(asking),
    headersTimeout: CHANGE_TIMEOUT_MS,
    body: JSON.stringify(content),
  });
  const text = await body.text();
  if (statusCode !== 200) throw new LabError('refused', `The replication cannot be turned: ${text}`);
}

function senderOf({ agent, secret }: Asking) {
  return {
    dispatcher: agent,
    headers: { [SECRET_HEADER]: secret, [GATEWAY_HEADER]: SENDER, [OPERATOR_HEADER]: SENDER },
  };
}
