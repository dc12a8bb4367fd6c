/** The YAML by which gateways know a lab's tenants: who they are, what they may do, and how much. */
import { GUEST, prefixOf } from './names.ts';

export interface SectionsOptions {
  names: readonly string[];
  issuer: string;
  audience: string;
  jwksFile: string;
}

/** Each tenant may do everything with topics and groups that begin with its name; the guest may read about one topic. */
export function tenantSections({ names, issuer, audience, jwksFile }: SectionsOptions): string {
  return `
# --- What the lab adds for its tenants. Edit it while it runs: the gateway reloads the file. ---
auth:
  jwt:
    issuers:
      - issuer: ${issuer}
        audience: [${audience}]
        # The lab signs a token for each tenant; this file has the key by which the gateway verifies it.
        jwksFile: ${JSON.stringify(jwksFile)}
access:
  rules:
${names.map(ruleOf).join('')}    - principals: [${GUEST}]
      operations: [describe]
      topics: [greetings]
quotas:
  principals:
    - principals: [${names.join(', ')}]
      requestsPerSecond: 500
      requestBurst: 1000
      maxInFlight: 200
      maxConsumers: 20
    - principals: [${GUEST}]
      requestsPerSecond: 1
      requestBurst: 5
`;
}

function ruleOf(name: string): string {
  const pattern = JSON.stringify(`${prefixOf(name)}*`);
  return `    - principals: [${name}]
      operations: [all]
      topics: [${pattern}]
      groups: [${pattern}]
`;
}
