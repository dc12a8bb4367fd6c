/** Moves the east region of a copy of the demo's YAML into its own network. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SECURE_PROTOCOL } from '../stack/kafka-security.ts';
import { LAB_HOST, type StackPorts } from '../stack/ports.ts';
import { NETWORK_BLOCK, type RegionNetwork } from '../stack/region-network.ts';
import type { StackOptions } from '../stack/stack-options.ts';

/** Edits the YAML, and returns the matching options of the stack. */
export function moveEast(
  network: Pick<RegionNetwork, 'address' | 'commandPrefix'>,
  { configDirectory, ports, isSecure = false }: { configDirectory: string; ports: StackPorts; isSecure?: boolean },
): Pick<StackOptions, 'regionHosts' | 'addresses' | 'kafkaProperties'> {
  const [kafkaPort, controllerPort] = ports.kafka;
  const addresses: Addresses = {
    east: network.address('regions', 'inside'),
    outside: network.address('regions', 'outside'),
    kafka: `${network.address('kafka', 'outside')}:${kafkaPort}`,
  };
  const protocol = isSecure ? SECURE_PROTOCOL : 'PLAINTEXT';
  for (const file of readdirSync(configDirectory).filter((name) => name.endsWith('.yaml'))) {
    const path = join(configDirectory, file);
    const isEast = file.startsWith('east');
    writeFileSync(path, (isEast ? eastYaml : otherYaml)(readFileSync(path, 'utf8'), addresses));
  }
  return {
    regionHosts: { east: { address: addresses.east, commandPrefix: network.commandPrefix } },
    addresses: [addresses.east, addresses.outside, network.address('kafka', 'outside')],
    kafkaProperties: {
      listeners: `${protocol}://0.0.0.0:${kafkaPort},CONTROLLER://${LAB_HOST}:${controllerPort}`,
      'advertised.listeners': `${protocol}://${addresses.kafka}`,
    },
  };
}

interface Addresses {
  east: string;
  /** The address of tier-1 and west, for east. */
  outside: string;
  /** Address and port. */
  kafka: string;
}

function eastYaml(yaml: string, { east, outside, kafka }: Addresses): string {
  const moved = yaml
    .replaceAll(`host: ${LAB_HOST}`, `host: ${east}`)
    .replaceAll(`//${LAB_HOST}:\${EAST_`, `//${east}:\${EAST_`)
    .replaceAll(`//${LAB_HOST}:\${WEST_`, `//${outside}:\${WEST_`)
    .replaceAll(/\$\{KAFKA_BROKER_[^}]*\}/g, kafka);
  return trusting(moved);
}

function otherYaml(yaml: string, { east }: Addresses): string {
  const moved = yaml
    .replaceAll(`host: ${LAB_HOST}`, 'host: 0.0.0.0')
    .replaceAll(`//${LAB_HOST}:\${EAST_`, `//${east}:\${EAST_`);
  return trusting(moved);
}

/** Trusts peers from that network, too; the admin API is plain HTTP there. */
function trusting(yaml: string): string {
  return yaml
    .replace(/^admin:\n/m, 'admin:\n  insecure: true\n')
    .replace('peers: [127.0.0.0/8]', `peers: [127.0.0.0/8, ${NETWORK_BLOCK}]`);
}
