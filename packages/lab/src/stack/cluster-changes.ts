/** Changes of which cluster is active, as an operator asks a gateway for them. */
import type { Promoted, Rejoined } from '@causeway/protocol/admin/model.ts';
import { countLost, formatPromotion } from '@causeway/protocol/clusters.ts';
import { request } from 'undici';
import { LabError } from '../errors.ts';
import type { RegionName } from './regions.ts';
import type { Stack } from './stack.ts';

/** More than a switch-over or a report of many records takes. */
const TIMEOUT_MS = 70_000;

/** Returns a sentence about the result. Errors: `refused`, with the gateway's reason. */
export async function changeCluster(
  stack: Stack,
  cluster: RegionName,
  change: 'promote' | 'rejoin',
  { force }: { force?: boolean } = {},
): Promise<string> {
  const { tier1, adminToken, agent } = stack;
  const { statusCode, body } = await request(`${tier1.admin}/api/clusters/${cluster}/${change}`, {
    method: 'POST',
    dispatcher: agent,
    headers: {
      authorization: `Bearer ${adminToken}`,
      ...(force === undefined ? {} : { 'content-type': 'application/json' }),
    },
    body: force === undefined ? null : JSON.stringify({ force }),
    headersTimeout: TIMEOUT_MS,
    bodyTimeout: TIMEOUT_MS,
  });
  const answer = (await body.json()) as { message?: string } & Promoted & Rejoined;
  if (statusCode !== 200) {
    throw new LabError('refused', answer.message ?? `The gateway refused to ${change} ${cluster}: ${statusCode}.`);
  }
  const { promotion, report } = answer;
  const count = countLost(report?.ranges ?? []);
  if (change === 'rejoin') return `${cluster} stands by; it alone has ${count} records.`;
  const loss = answer.kind === 'forced' ? `, without ${count} records or more that the other one acknowledged` : '';
  return `${cluster} is active (${formatPromotion(promotion)}, ${answer.kind})${loss}.`;
}
