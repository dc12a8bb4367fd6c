/**
 * The system of the demonstration, started from its own YAML in this process: each part on a loopback address of its own, with the
 * certificates that its Certificate asks for, behind the names of its Services. What differs: addresses, ports, files, and a plain Kafka.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Bridge } from '@causeway/bridge/app.ts';
import { loadBridgeConfig } from '@causeway/bridge/load.ts';
import { loadForStart } from '@causeway/gateway/config/load.ts';
import { Gateway } from '@causeway/gateway/gateway.ts';
import { Authority } from '@causeway/lab/secure/authority.ts';
import { findFreePorts } from '@causeway/lab/stack/ports.ts';
import { pino } from 'pino';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { DnsServer } from '../harness/dns-server.ts';
import { findKubernetesTools } from '../harness/kubernetes-tools.ts';
import { until } from '../harness/until.ts';
import { find, kustomize, RELEASES, release } from './demo.ts';

const tools = await findKubernetesTools();
const TOKEN = 'the-token-of-the-operators';

interface Part {
  namespace: 'central' | 'east' | 'west';
  component: 'tier1' | 'gateway' | 'bridge';
  /** Its pod's. */
  address: string;
}

const PARTS: readonly Part[] = [
  { namespace: 'east', component: 'bridge', address: '127.0.17.1' },
  { namespace: 'west', component: 'bridge', address: '127.0.17.2' },
  { namespace: 'east', component: 'gateway', address: '127.0.17.3' },
  { namespace: 'west', component: 'gateway', address: '127.0.17.4' },
  { namespace: 'central', component: 'tier1', address: '127.0.17.5' },
];

let directory: string;
let authority: Authority;
let dns: DnsServer;
let client: Agent;
/** In place of 8080 and 8081. */
let ports: { listen: number; management: number };
const running = new Map<string, Bridge | Gateway>();

/** The file of a part, as the chart renders it, at the places of the test. */
async function configFile({
  namespace,
  component,
  address,
}: Part): Promise<{ file: string; env: Record<string, string> }> {
  const form = RELEASES.find((candidate) => candidate.namespace === namespace);
  const objects = await release(tools?.helm ?? '', form ?? { namespace, files: [] });
  const program = component === 'bridge' ? 'bridge' : 'gateway';
  const name = `causeway-${component}`;
  const workload = find(objects, component === 'bridge' ? 'StatefulSet' : 'Deployment', name);
  const [container] = workload['spec'].template.spec.containers;
  const env: Record<string, string> = { POD_NAME: `${name}-0` };
  for (const variable of container.env) if (variable.value !== undefined) env[variable.name] = variable.value;

  const certificate = find(await kustomize(tools?.kubectl ?? '', `overlays/${namespace}`), 'Certificate', component);
  const place = join(directory, `${namespace}-${component}`);
  mkdirSync(place, { recursive: true });
  const { dnsNames, uris, usages } = certificate['spec'];
  const usage = usages.length === 2 ? 'both' : 'server';
  const { cert, key } = await authority.certify({ name: component, dns: dnsNames, uri: uris ?? [] }, usage);
  for (const [file, text] of Object.entries({
    'tls.crt': cert,
    'tls.key': key,
    'ca.crt': authority.cert,
    token: TOKEN,
  })) {
    writeFileSync(join(place, file), text);
  }
  const text = (find(objects, 'ConfigMap', name)['data'][`${program}.yaml`] as string)
    .replaceAll(/\/run\/secrets\/(?:tls|admin)\//g, `${place}/`)
    .replaceAll('0.0.0.0', address);
  const config = parse(text);
  config.listen.port = ports.listen;
  if (component === 'bridge') {
    config.management.port = ports.management;
    config.kafka = { bootstrapServers: inject('kafkaBootstrap').split(',') };
  } else {
    config.admin.port = ports.management;
    config.discovery = { servers: [dns.address], refreshMs: 200 };
    for (const target of config.regions.flatMap((region: { targets: object[] }) => region.targets)) {
      for (const key of ['port', 'healthPort', 'adminPort']) {
        if (target[key] !== undefined) target[key] = target[key] === 8080 ? ports.listen : ports.management;
      }
    }
  }
  const file = join(place, `${program}.yaml`);
  writeFileSync(file, stringify(config));
  return { file, env };
}

async function start(part: Part): Promise<void> {
  const { file, env } = await configFile(part);
  dns.set(`causeway-${part.component}-headless.${part.namespace}.svc`, [part.address]);
  if (part.component === 'bridge') {
    running.set(
      `${part.namespace} ${part.component}`,
      await Bridge.start(loadBridgeConfig(file, env), pino({ level: 'silent' })),
    );
    return;
  }
  const gateway = new Gateway({ config: loadForStart(file, env), configFile: file });
  await gateway.start();
  running.set(`${part.namespace} ${part.component}`, gateway);
}

describe.skipIf(tools === undefined)('the demonstration', () => {
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'causeway-demo-system-'));
    authority = await Authority.create('Causeway demonstration');
    dns = await DnsServer.start();
    client = new Agent({ connect: { ca: authority.cert, servername: 'localhost' } });
    const [listen = 0, management = 0] = await findFreePorts(2);
    ports = { listen, management };
    for (const part of PARTS) await start(part);
  });
  afterAll(async () => {
    await client?.close();
    for (const part of [...running.values()].reverse()) await part.close('the test is over');
    await dns?.close();
    rmSync(directory, { recursive: true, force: true });
  });

  const at = (address: string, path: string, port = ports.listen): ReturnType<typeof request> =>
    request(`https://${address}:${port}${path}`, {
      dispatcher: client,
      headers: { authorization: `Bearer ${TOKEN}` },
    });
  /** As a gateway sees them. */
  const states = async (gateway: string): Promise<string[]> => {
    const { body } = await at(gateway, '/api/topology', ports.management);
    const { regions } = (await body.json()) as { regions: { name: string; state: string }[] };
    return regions.map(({ name, state }) => `${name} ${state}`);
  };
  const topicsAt = async (address: string): Promise<number> => {
    const { statusCode, body } = await at(address, '/topics');
    await body.dump();
    return statusCode;
  };

  test('every region is up, and serves its clients and those of the one hostname', async () => {
    await until('tier-1 sees both regions', async () => (await states('127.0.17.5')).join() === 'east up,west up');
    for (const address of ['127.0.17.3', '127.0.17.4', '127.0.17.5']) expect(await topicsAt(address)).toBe(200);
  });

  test('gateways are peers of each other and of the bridges by their certificates', async () => {
    for (const part of running.values()) {
      if (part instanceof Gateway) expect(part.events.recent().filter(({ type }) => type === 'impostor')).toEqual([]);
    }
    // A client without a certificate is refused by a bridge.
    await expect(topicsAt('127.0.17.1')).rejects.toThrow();
  });

  test('without its bridges east is served by west, and afterwards by its own again', async () => {
    await running.get('east bridge')?.close('scaled to zero');
    running.delete('east bridge');
    dns.set('causeway-bridge-headless.east.svc', []);
    await until('the clients of east are served', async () => (await topicsAt('127.0.17.3')) === 200);
    expect(await topicsAt('127.0.17.5')).toBe(200);
    await until('probes find east down', async () => (await states('127.0.17.3')).join() === 'east down,west up');

    await start({ namespace: 'east', component: 'bridge', address: '127.0.17.1' });
    await until('east has its bridge again', async () => (await states('127.0.17.3')).join() === 'east up,west up');
    expect(await topicsAt('127.0.17.3')).toBe(200);
  });
});
