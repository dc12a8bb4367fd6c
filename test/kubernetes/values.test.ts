/** The chart's values: what is refused, and what follows from them. */
import { readFileSync } from 'node:fs';
import { BridgeConfig, checkBridgeConfig } from '@causeway/bridge/config.ts';
import { parseConfig } from '@causeway/config/load.ts';
import { describeChanges } from '@causeway/gateway/config/changes.ts';
import { findConfigProblems } from '@causeway/gateway/config/load.ts';
import { GatewayConfig } from '@causeway/gateway/config/schema.ts';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { findKubernetesTools } from '../harness/kubernetes-tools.ts';
import { CHART, type KubernetesObject, objectsOf, render } from './chart.ts';
import { valuesTable } from './values-reference.ts';

const tools = await findKubernetesTools();
const helm = tools?.helm ?? '';

type Config = Record<string, unknown>;

const GATEWAY: Config = {
  gateway: { name: '${POD_NAME}' },
  listen: { host: '0.0.0.0' },
  admin: { host: '0.0.0.0', insecure: true, token: '${TOKEN}' },
  regions: [{ name: 'east', weight: 50, targets: [{ url: 'http://east.example:8080' }] }],
};
const BRIDGE: Config = {
  bridge: { name: '${POD_NAME}', region: 'east' },
  listen: { host: '0.0.0.0' },
  kafka: { bootstrapServers: ['kafka:9092'] },
};

/** Values of a release with one part. */
function valuesOf(part: 'tier1' | 'bridge', config: unknown, others: Config = {}): string[] {
  return ['--set-json', `${part}=${JSON.stringify({ enabled: true, config, ...others })}`];
}

describe.skipIf(tools === undefined)('rendering fails, and says why', () => {
  test.each<[name: string, args: string[], message: string]>([
    ['nothing is enabled', [], 'Nothing is enabled: set tier1.enabled'],
    ['no config', ['--set', 'tier1.enabled=true'], "tier1.config is missing: give it Causeway's gateway.yaml"],
    ['no YAML', valuesOf('tier1', 'a: [b'), 'tier1.config is not a map in YAML'],
    ['an unknown value', ['--set', 'tier1.replica=2'], "additional properties 'replica' not allowed"],
    ['a value of another type', ['--set', 'tier1.replicas=two'], 'want integer'],
    ['loopback', valuesOf('tier1', { ...GATEWAY, listen: {} }), 'listen.host must be 0.0.0.0 or "::"'],
    ['loopback of a bridge', valuesOf('bridge', { ...BRIDGE, listen: { host: '127.0.0.1' } }), 'listen.host must be'],
    [
      'a port of the environment',
      valuesOf('tier1', { ...GATEWAY, listen: { host: '::', port: '${PORT}' } }),
      'listen.port must be a number',
    ],
    ['a low port', valuesOf('tier1', { ...GATEWAY, listen: { host: '::', port: 443 } }), 'use a port from 1024 on'],
    [
      'one port twice',
      valuesOf('tier1', { ...GATEWAY, listen: { host: '::', port: 8081 } }),
      'two listeners have port 8081',
    ],
    [
      'an admin port without a token',
      valuesOf('tier1', { ...GATEWAY, admin: { host: '::', insecure: true } }),
      'admin needs a token',
    ],
    [
      'a plain admin port',
      valuesOf('tier1', { ...GATEWAY, admin: { host: '::', token: '${TOKEN}' } }),
      'admin needs TLS',
    ],
    [
      'probes that need a certificate',
      valuesOf('bridge', {
        ...BRIDGE,
        listen: { host: '::', tls: { certFile: '/c', keyFile: '/k', clientCaFile: '/a' } },
      }),
      'listen.tls.clientCertificates must not be require',
    ],
    [
      'a file that no Secret brings',
      valuesOf(
        'bridge',
        { ...BRIDGE, kafka: { bootstrapServers: ['k:1'], tls: { isEnabled: true, caFile: '/run/secrets/ca/ca.crt' } } },
        { secrets: { '/run/secrets/c': 'c' } },
      ),
      '/run/secrets/ca/ca.crt is in no directory of bridge.secrets and bridge.certificates',
    ],
    [
      'a secret in clear text',
      valuesOf('tier1', {
        ...GATEWAY,
        admin: { host: '::', insecure: true, tokens: [{ name: 'a', role: 'viewer', token: 'in-clear-text-1234' }] },
      }),
      'admin.tokens[0].token: a secret in clear text',
    ],
    [
      'a name that no Service may have',
      ['--set', 'fullnameOverride=1-east', ...valuesOf('bridge', BRIDGE)],
      'set fullnameOverride',
    ],
    [
      'Secrets over the configuration',
      valuesOf('bridge', BRIDGE, { secrets: { '/etc/causeway/': 's' } }),
      'a Secret cannot be in /etc/causeway',
    ],
    [
      'one directory for two Secrets',
      valuesOf('bridge', BRIDGE, { secrets: { '/run/s': 's', '/run/s/': 't' } }),
      'two Secrets are for the directory /run/s',
    ],
    [
      'a type of the Service twice',
      valuesOf('bridge', BRIDGE, { service: { spec: { type: 'NodePort' } } }),
      'bridge.service.spec.type: the chart sets it',
    ],
    [
      'a token among the headers of traces',
      valuesOf('bridge', {
        ...BRIDGE,
        tracing: { endpoint: 'http://otel:4318', headers: { Authorization: 'Bearer a' } },
      }),
      'tracing.headers.Authorization: a secret in clear text',
    ],
    [
      'bridges whose Ingress controller cannot reach them',
      valuesOf('bridge', BRIDGE, { ingress: { enabled: true } }),
      'bridge.allowFrom is empty',
    ],
    [
      'an access log in a file',
      valuesOf('tier1', { ...GATEWAY, accessLog: { file: '/var/log/access.log' } }),
      'accessLog.file: the file system of the pod is read-only',
    ],
    [
      'one name for three bridges',
      valuesOf('bridge', { ...BRIDGE, bridge: { name: 'bridge', region: 'east' } }),
      'bridge.name: each bridge needs a name of its own',
    ],
    [
      'a TLSRoute to plain HTTP',
      valuesOf('tier1', GATEWAY, { tlsRoute: { enabled: true, parentRefs: [{ name: 'g' }] } }),
      'tier1.tlsRoute needs a listener with TLS',
    ],
    [
      'fewer pods than the fewest',
      valuesOf('tier1', GATEWAY, { autoscaling: { enabled: true, maxReplicas: 1 } }),
      'maxReplicas must not be less',
    ],
    [
      'an autoscaler of no pods',
      valuesOf('tier1', GATEWAY, { replicas: 0, autoscaling: { enabled: true } }),
      'tier1.replicas must be 1 or more',
    ],
    [
      'metrics without a token',
      [...valuesOf('tier1', GATEWAY), '--set', 'monitoring.serviceMonitor.enabled=true'],
      'monitoring.serviceMonitor.token is missing',
    ],
  ])('%s', async (_, args, message) => {
    expect(await refusalOf(args)).toContain(message);
  });

  test.each<[name: string, part: 'tier1' | 'bridge', config: Config, messages: string[]]>([
    [
      'keys, words and lists',
      'tier1',
      { ...GATEWAY, retry: { produc: 'x' }, log: { level: 'loud' }, regions: [] },
      [
        'retry.produc: unknown key (known here: budget',
        'log.level: must be one of trace, debug',
        'regions: must not be empty',
      ],
    ],
    [
      'numbers and missing keys',
      'bridge',
      { ...BRIDGE, producer: { maxRequestBytes: 1 }, bridge: { name: '${POD_NAME}' } },
      ['producer.maxRequestBytes: must be 1024 or more', 'bridge: the key region is missing'],
    ],
    [
      'peers without a secret',
      'bridge',
      { ...BRIDGE, trust: { peers: ['10.0.0.0/8'] } },
      ['trust.peers: 10.0.0.0/8 is an address'],
    ],
    [
      'regions, targets and rules',
      'tier1',
      {
        ...GATEWAY,
        gateway: { region: 'west' },
        regions: [
          { name: 'east', targets: [{ url: 'http://a:1' }] },
          { name: 'east', targets: [{ serverName: 'b' }] },
        ],
        access: { rules: [{ principals: ['*'], operations: ['all'], topics: ['*'], groups: ['*'] }] },
      },
      [
        'gateway.region: west is not in regions',
        'regions: duplicate region east',
        'regions: target 0 of east needs either url or dns',
        'access: needs the section auth',
      ],
    ],
  ])('as --check does: %s', async (_, part, config, messages) => {
    const refusal = await refusalOf(valuesOf(part, config));
    for (const message of messages) expect(refusal).toContain(message);
    const env = { POD_NAME: 'p', TOKEN: 'a-token-of-sixteen-characters' };
    const options = { schema: BridgeConfig, env, check: checkBridgeConfig };
    if (part === 'tier1') expect(findConfigProblems(stringify(config), env)).not.toEqual([]);
    else expect(() => parseConfig('', stringify(config), options)).toThrow();
  });
});

/** What helm says. */
async function refusalOf(args: string[]): Promise<string> {
  return await render(helm, args).then(
    () => 'it was rendered',
    (reason: Error) => reason.message,
  );
}

describe.skipIf(tools === undefined)('rendering takes what the program takes', () => {
  const CONFIG = new URL('../../config/', import.meta.url);

  test.each([
    'demo/tier1',
    'demo/east-gateway',
    'demo/east-bridge',
    'secure/tier1',
    'secure/west-gateway',
    'secure/west-bridge',
  ])('config/%s.yaml, on addresses that reach the pod', async (name) => {
    const part = name.endsWith('bridge') ? 'bridge' : 'tier1';
    let port = 8080;
    const text = readFileSync(new URL(`${name}.yaml`, CONFIG), 'utf8')
      .replace(/^ {2}host: .*$/gm, '  host: 0.0.0.0')
      .replace(/^( {2}port:) .*$/gm, (_, key) => `${key} ${port++}`)
      .replace(/^admin:$/m, 'admin:\n  insecure: true');
    // Without a management port, the kubelet would have to show a certificate.
    const config = part === 'bridge' ? `${text}management: { port: 9000 }\n` : text;
    // The demo has one bridge in a region.
    const others = { replicas: 1 };
    const configMap = objectsOf(await render(helm, valuesOf(part, config, others))).find(
      ({ kind }) => kind === 'ConfigMap',
    );
    expect(Object.values(configMap?.['data'])).toEqual([config]);
  });

  test.each<[text: string, change: (text: string) => string]>([
    ['with the line ends of Windows', (text) => text.replaceAll('\n', '\r\n')],
    ['that begins with an indented comment', (text) => `\n    # indented\n${text}`],
    ['that names files in comments', (text) => `# caFile: /a\n${text}log: { level: info } # caFile: /b\n`],
  ])('a text %s', async (_, change) => {
    const text = change(stringify(BRIDGE));
    const objects = objectsOf(await render(helm, valuesOf('bridge', text)));
    const found = objects.find(({ kind }) => kind === 'ConfigMap')?.['data']['bridge.yaml'];
    expect(parse(found)).toEqual(parse(text));
  });

  test('merge keys and x-… sections', async () => {
    const text = `${stringify({ ...GATEWAY, regions: undefined })}
x-region: &region { weight: 20, priority: 1 }
regions:
  - { <<: *region, name: east, targets: [{ url: "http://east.example:8080" }] }
`;
    expect(await render(helm, valuesOf('tier1', text))).toContain('x-region: &region');
  });
});

function workloadOf(text: string): KubernetesObject {
  const workload = objectsOf(text).find(({ kind }) => kind === 'Deployment' || kind === 'StatefulSet');
  if (workload === undefined) throw new Error('no Deployment, no StatefulSet');
  return workload;
}

async function podOf(args: string[]): Promise<KubernetesObject> {
  return workloadOf(await render(helm, args))['spec'].template;
}

describe.skipIf(tools === undefined)('pods roll when a setting needs a restart', () => {
  const parsed = (config: Config): GatewayConfig =>
    parseConfig('', stringify(config), { schema: GatewayConfig, env: { POD_NAME: 'p', TOKEN: 't', OTHER: 'o' } });

  const checksumOf = async (config: Config): Promise<string | undefined> =>
    (await podOf(valuesOf('tier1', config))).metadata.annotations?.['checksum/config'];
  let before: Promise<string | undefined>;
  beforeAll(() => {
    before = checksumOf(GATEWAY);
  });

  test.each<[key: string, config: Config]>([
    [
      'regions, retry, admin.token, request.bufferBytes',
      {
        ...GATEWAY,
        regions: [{ name: 'east', weight: 20, targets: [{ url: 'http://east.example:8080' }] }],
        retry: { maxAttempts: 2 },
        admin: { host: '0.0.0.0', insecure: true, token: '${OTHER}' },
        request: { bufferBytes: 65536 },
      },
    ],
    ['admin.host', { ...GATEWAY, admin: { host: '::', insecure: true, token: '${TOKEN}' } }],
    ['admin.port', { ...GATEWAY, admin: { host: '0.0.0.0', port: 9000, insecure: true, token: '${TOKEN}' } }],
    ['request.maxUrlBytes', { ...GATEWAY, request: { maxUrlBytes: 8192 } }],
    ['request.bodyTimeoutMs', { ...GATEWAY, request: { bodyTimeoutMs: 8192 } }],
    ['listen', { ...GATEWAY, listen: { host: '0.0.0.0', backlog: 100 } }],
    ['log', { ...GATEWAY, log: { level: 'debug' } }],
    ['accessLog', { ...GATEWAY, accessLog: { sampleRatio: 0.5 } }],
    ['tracing', { ...GATEWAY, tracing: { endpoint: 'http://otel:4318' } }],
    ['gateway', { ...GATEWAY, gateway: { name: 'tier1' } }],
  ])('of a gateway: %s', async (_, config) => {
    const needsRestart = describeChanges(parsed(GATEWAY), parsed(config)).some((line) =>
      line.includes('needs a restart'),
    );
    expect((await checksumOf(config)) !== (await before)).toBe(needsRestart);
  });

  test('of a bridge: every one', async () => {
    const changed = { ...BRIDGE, producer: { acks: 'leader' } };
    const [before, after] = await Promise.all([BRIDGE, changed].map((config) => podOf(valuesOf('bridge', config))));
    expect(before).not.toEqual(after);
  });
});

describe.skipIf(tools === undefined)('what follows from values', () => {
  test('a pod has time to end: preStop, shutdown.graceMs and a rest', async () => {
    const config = { ...BRIDGE, shutdown: { graceMs: 30_500 } };
    const { spec } = (await podOf(valuesOf('bridge', config, { preStopSeconds: 20 }))) as unknown as { spec: Config };
    expect(spec['terminationGracePeriodSeconds']).toBe(20 + 31 + 5);
    expect((spec['containers'] as Config[])[0]?.['lifecycle']).toEqual({ preStop: { sleep: { seconds: 20 } } });
  });

  test('a gateway has time for its delay, too', async () => {
    const config = { ...GATEWAY, shutdown: { delayMs: 7_500, graceMs: 8_000 } };
    const { spec } = (await podOf(valuesOf('tier1', config, { preStopSeconds: 3 }))) as unknown as { spec: Config };
    expect(spec['terminationGracePeriodSeconds']).toBe(3 + 16 + 5);
  });

  test('OpenShift chooses the user', async () => {
    const args = valuesOf('bridge', BRIDGE);
    const plain = await podOf(args);
    const openShift = await podOf([...args, '--api-versions', 'security.openshift.io/v1']);
    expect(plain['spec'].securityContext).toMatchObject({ runAsUser: 1000, runAsGroup: 1000, fsGroup: 1000 });
    expect(openShift['spec'].securityContext).toEqual({
      runAsNonRoot: true,
      seccompProfile: { type: 'RuntimeDefault' },
    });
  });

  test('replicas: 0 is a region without bridges that keeps its release', async () => {
    const workload = workloadOf(await render(helm, valuesOf('bridge', BRIDGE, { replicas: 0 })));
    expect(workload['spec'].replicas).toBe(0);
  });

  test('variables are texts, also large numbers', async () => {
    const env = { COUNT: 16777216, IS_ON: true, TEXT: 'a: "b"', PASSWORD: { secret: 'kafka', key: 'password' } };
    const pod = await podOf(valuesOf('bridge', BRIDGE, { env }));
    expect(pod['spec'].containers[0].env.filter(({ name }: { name: string }) => name in env)).toEqual([
      { name: 'COUNT', value: '16777216' },
      { name: 'IS_ON', value: 'true' },
      { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'kafka', key: 'password' } } },
      { name: 'TEXT', value: 'a: "b"' },
    ]);
  });

  test('podSpec adds to the pod and replaces what the chart says', async () => {
    const podSpec = { nodeSelector: { disk: 'fast' }, automountServiceAccountToken: true };
    const { spec } = (await podOf(valuesOf('bridge', BRIDGE, { podSpec }))) as unknown as { spec: Config };
    expect(spec).toMatchObject({ ...podSpec, enableServiceLinks: false });
  });

  test('a NetworkPolicy lets every port through where one is known at run time only', async () => {
    const egress = async (config: Config): Promise<unknown> => {
      const policy = objectsOf(await render(helm, valuesOf('bridge', config))).find(
        ({ kind }) => kind === 'NetworkPolicy',
      );
      return policy?.['spec'].egress[1];
    };
    expect(await egress({ ...BRIDGE, tracing: { endpoint: 'https://otel.example/v1' } })).toEqual({
      ports: [{ port: 443 }, { port: 9092 }],
    });
    expect(await egress({ ...BRIDGE, kafka: { bootstrapServers: ['${BROKER}'] } })).toEqual({});
  });

  test('a NetworkPolicy lets DNS through on the ports of discovery.servers', async () => {
    const config = { ...GATEWAY, discovery: { servers: ['10.0.0.10:1053', '[fd00::10]:53', '10.0.0.11'] } };
    const policy = objectsOf(await render(helm, valuesOf('tier1', config))).find(
      ({ kind }) => kind === 'NetworkPolicy',
    );
    const ports: { port: number; protocol: string }[] = policy?.['spec'].egress[0].ports;
    expect(ports.filter(({ protocol }) => protocol === 'UDP').map(({ port }) => port)).toEqual([53, 5353, 1053]);
  });

  test('an Ingress leads to the listener that serves requests', async () => {
    const config: Config = {
      ...GATEWAY,
      listeners: [
        { name: 'redirect', host: '::', port: 8080, redirectToHttpsPort: 443 },
        { name: 'main', host: '::', port: 8088 },
      ],
    };
    const { listen, ...others } = config;
    expect(listen).toBeDefined();
    const objects = objectsOf(await render(helm, valuesOf('tier1', others, { ingress: { enabled: true } })));
    const ingress = objects.find(({ kind }) => kind === 'Ingress');
    expect(ingress?.['spec'].rules[0].http.paths[0].backend.service.port).toEqual({ name: 'http-8088' });
  });

  test('a key without a value is as an empty one', async () => {
    const keys = ['env', 'secrets', 'certificates', 'ingress', 'httpRoute', 'tlsRoute', 'podSpec', 'allowFrom'];
    const nothing = Object.fromEntries(keys.map((key) => [key, null]));
    const args = [BRIDGE, BRIDGE].map((config, index) => valuesOf('bridge', config, index === 0 ? {} : nothing));
    const [plain, empty] = await Promise.all(args.map((each) => render(helm, each)));
    expect(empty).toBe(plain);
    expect(await refusalOf(valuesOf('bridge', BRIDGE, { preStopSeconds: null }))).toMatch(/preStopSeconds/);
  });

  test('a ServiceMonitor expects the name in the certificates of the pods, or the one that it is given', async () => {
    const tls = { certFile: '/run/s/tls.crt', keyFile: '/run/s/tls.key' };
    const config = { ...BRIDGE, management: { port: 8081, tls } };
    const serverNameOf = async (tlsConfig: Config): Promise<unknown> => {
      const serviceMonitor = { enabled: true, tlsConfig };
      const monitoring = `monitoring=${JSON.stringify({ serviceMonitor })}`;
      const values = valuesOf('bridge', config, { secrets: { '/run/s': 's' } });
      const objects = objectsOf(await render(helm, [...values, '--set-json', monitoring]));
      return objects.find(({ kind }) => kind === 'ServiceMonitor')?.['spec'].endpoints[0].tlsConfig.serverName;
    };
    expect(await serverNameOf({ caFile: '/ca' })).toBe('causeway-bridge-headless.kafka.svc');
    expect(await serverNameOf({ caFile: '/ca', serverName: 'bridges' })).toBe('bridges');
  });

  test('load balancers probe by TCP, and others know the protocol', async () => {
    const protocolOf = async (type: string): Promise<unknown> => {
      const objects = objectsOf(await render(helm, valuesOf('tier1', GATEWAY, { service: { type } })));
      const service = objects.find(({ kind, spec }) => kind === 'Service' && spec.type === type);
      return service?.['spec'].ports[0].appProtocol;
    };
    expect(await protocolOf('LoadBalancer')).toBeUndefined();
    expect(await protocolOf('ClusterIP')).toBe('http');
  });
});

test('values.schema.json knows the values of values.yaml, and no others', () => {
  const schema = JSON.parse(readFileSync(`${CHART}/values.schema.json`, 'utf8'));
  const values = parse(readFileSync(`${CHART}/values.yaml`, 'utf8'), { merge: true });
  const compare = (place: Config, value: unknown, path: string): void => {
    const reference = place['$ref'];
    const node = typeof reference === 'string' ? schema.definitions[reference.split('/').at(-1) ?? ''] : place;
    if (node.properties === undefined) return;
    expect([path, node.additionalProperties]).toEqual([path, false]);
    // Helm itself gives `global` to every chart.
    const known = Object.keys(node.properties).filter((key) => key !== 'global');
    expect([path, known.sort()]).toEqual([path, Object.keys(value as Config).sort()]);
    for (const key of known) compare(node.properties[key], (value as Config)[key], `${path}.${key}`);
  };
  compare(schema, values, 'values');
});

test("the chart's README has the values of values.yaml", async () => {
  const file = `${CHART}/README.md`;
  const table = valuesTable(readFileSync(`${CHART}/values.yaml`, 'utf8'));
  expect(table).not.toMatch(/\| *\|$/m);
  const text = readFileSync(file, 'utf8').replace(/(\n## Values\n\n)[\s\S]*$/, `$1${table}`);
  await expect(text).toMatchFileSnapshot(file);
});
