/** What the lab prints once everything is up: the addresses, and a first command. */
import { REGION_NAMES } from '../stack/regions.ts';
import type { Stack } from '../stack/stack.ts';
import { NAME_WIDTH } from './format.ts';

/** The banner: addresses, and a first command. */
export function formatBanner(stack: Stack, { paths, hasKeys }: { paths: BannerPaths; hasKeys: boolean }): string {
  const row = (name: string, ...values: string[]): string => `  ${name.padEnd(NAME_WIDTH)} ${values.join('   ')}`;
  const lines = [
    '',
    row('tier-1 gateway', stack.tier1.url, `admin ${stack.tier1.admin}`),
    ...REGION_NAMES.flatMap((name) => [
      row(`${name} gateway`, stack.regions[name].gateway.url, `admin ${stack.regions[name].gateway.admin}`),
      row(`${name} bridge`, stack.regions[name].bridge.url),
    ]),
    row('admin token', stack.adminToken),
    ...(stack.pair === undefined
      ? [row('Kafka', stack.kafka.bootstrap)]
      : REGION_NAMES.map((name) => row(`${name} Kafka`, stack.pair?.kafkas[name].bootstrap ?? ''))),
    row('weights', `${paths.config}/tier1.yaml   edit while it runs`),
    row('logs', paths.logs),
    row('for scripts', paths.stackFile),
    ...(paths.ca === undefined
      ? []
      : [row('authority', `${paths.ca}   browsers and other clients need it, also for ${stack.tier1.admin}/`)]),
    ...(paths.tenant === undefined
      ? []
      : [row('tokens', `${paths.tenant.tokens}/*.token   one for each tenant, and the guest's`)]),
    '',
    '  Try it:',
    ...firstCommand(stack.tier1.url, paths),
    '',
    hasKeys
      ? `  Keys: e or w kills that region or restores it, ${stack.pair === undefined ? '' : 'p promotes the cluster that stands by, '}q or Ctrl-C stops everything.`
      : '  Ctrl-C stops everything.',
    '',
  ];
  return lines.join('\n');
}

function firstCommand(url: string, { ca, tenant }: BannerPaths): string[] {
  const options = ca === undefined ? '' : `--http2 --cacert ${ca} `;
  const topic = tenant === undefined ? 'greetings' : `${tenant.name}.greetings`;
  return [
    `    curl ${options}${url}/topics/${topic} \\`,
    ...(tenant === undefined
      ? []
      : [`      -H "authorization: Bearer $(cat ${tenant.tokens}/${tenant.name}.token)" \\`]),
    `      -H 'content-type: application/json' -d '{"records":[{"value":"hello"}]}'`,
  ];
}

export interface BannerPaths {
  config: string;
  logs: string;
  stackFile: string;
  /** Of a secure lab: its authority's certificate. */
  ca: string | undefined;
  /** Of a lab with tenants: the directory of their tokens, and a tenant. */
  tenant: { tokens: string; name: string } | undefined;
}
