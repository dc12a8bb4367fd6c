/**
 * A Kubernetes control plane on loopback: etcd, the API server with RBAC and Pod Security Admission, controllers, the scheduler, and
 * kwok, which plays the kubelets of nodes in three zones. A pod of it runs no container.
 */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { acceptsConnections, findFreePorts, LAB_HOST } from '@causeway/lab/stack/ports.ts';
import { LabProcess, Reaper } from '@causeway/lab/stack/process.ts';
import { TestAuthority } from '../../harness/certificates.ts';
import { until } from '../../harness/until.ts';
import type { KubernetesObject } from '../chart.ts';
import { isReady, KubernetesApi } from './api.ts';
import type { ControlPlanePrograms } from './programs.ts';

const TOKEN = 'of-the-tests';
/** On a machine that is several times slower than usual. */
const START_TIMEOUT_MS = 120_000;

/** What releases need. All of them would start forty controllers. */
const CONTROLLERS = [
  'deployment',
  'disruption',
  'endpointslice',
  'garbage-collector',
  'horizontal-pod-autoscaler',
  'job',
  'namespace',
  'node-lifecycle',
  'persistentvolume-binder',
  'persistentvolume-protection',
  'persistentvolumeclaim-protection',
  'pod-garbage-collector',
  'replicaset',
  'serviceaccount',
  'statefulset',
  'taint-eviction',
].map((name) => `${name}-controller`);

/** Without its lease, a node is not ready after 50 s. */
const KWOK_ARGUMENTS = ['--manage-all-nodes=true', '--node-lease-duration-seconds=40', '--cidr=10.244.0.1/16'];

/** Each has one node. */
const ZONES = ['a', 'b', 'c'];

/** How a test, in this process or another one, reaches a control plane. */
export interface ControlPlaneAccess {
  url: string;
  /** PEM. */
  authority: string;
  token: string;
  /** For helm and kubectl. */
  kubeconfig: string;
  /** For files of tests; removed with the control plane. */
  directory: string;
}

/** Its processes, and a directory with everything that they write: `close` leaves nothing. */
export class ControlPlane {
  readonly access: ControlPlaneAccess;
  readonly #reaper: Reaper;

  private constructor(access: ControlPlaneAccess, reaper: Reaper) {
    this.access = access;
    this.#reaper = reaper;
  }

  /** Errors: when a process does not start, with the end of its log. */
  static async start(found: ControlPlanePrograms): Promise<ControlPlane> {
    const directory = mkdtempSync(join(tmpdir(), 'causeway-control-plane-'));
    const reaper = new Reaper();
    // Also after SIGKILL.
    reaper.atEnd(['rm', '-rf', directory]);
    try {
      return new ControlPlane(await startProcesses(found, directory, reaper), reaper);
    } catch (error) {
      await end(directory, reaper);
      throw error;
    }
  }

  async close(): Promise<void> {
    await end(this.access.directory, this.#reaper);
  }
}

async function end(directory: string, reaper: Reaper): Promise<void> {
  // Nothing of it is kept: no process has to end in order.
  await reaper.close();
  rmSync(directory, { recursive: true, force: true, maxRetries: 10 });
}

async function startProcesses(
  { programs, stagesFile }: ControlPlanePrograms,
  directory: string,
  reaper: Reaper,
): Promise<ControlPlaneAccess> {
  const start = (name: keyof typeof programs, args: string[]): Promise<LabProcess> => {
    const logFile = join(directory, `${name}.log`);
    return LabProcess.start({ name, command: programs[name], args, cwd: directory, logFile, reaper });
  };
  const [etcdPort = 0, peerPort = 0, apiPort = 0] = await findFreePorts(3);
  const authority = await TestAuthority.create(directory);
  const kubeconfig = join(directory, 'kubeconfig.yaml');
  const access = {
    url: `https://${LAB_HOST}:${apiPort}`,
    authority: authority.cert,
    token: TOKEN,
    kubeconfig,
    directory,
  };
  writeFileSync(kubeconfig, kubeconfigOf(access.url, authority.certFile));
  const api = new KubernetesApi(access);
  try {
    const etcd = await start('etcd', etcdArguments(etcdPort, peerPort));
    await etcd.waitUntilReady(() => acceptsConnections(etcdPort), { timeoutMs: START_TIMEOUT_MS });
    const apiServer = await start(
      'kube-apiserver',
      await apiServerArguments({ authority, directory, apiPort, etcdPort }),
    );
    await apiServer.waitUntilReady(() => api.isReady(), { timeoutMs: START_TIMEOUT_MS });
    const client = `--kubeconfig=${kubeconfig}`;
    const quick = [client, '--leader-elect=false', '--secure-port=0', '--kube-api-qps=200', '--kube-api-burst=400'];
    await start('kube-controller-manager', [...quick, `--controllers=${CONTROLLERS.join(',')}`]);
    await start('kube-scheduler', quick);
    await start('kwok', [client, ...KWOK_ARGUMENTS, `--config=${stagesFile}`]);
    await Promise.all(ZONES.map((zone) => api.create('/api/v1/nodes', nodeIn(zone))));
    const areReady = async (): Promise<boolean> => (await api.list('/api/v1/nodes')).every(isOpen);
    await until('the nodes are ready', areReady, { timeoutMs: START_TIMEOUT_MS });
    return access;
  } finally {
    await api.close();
  }
}

function etcdArguments(port: number, peerPort: number): string[] {
  const client = `http://${LAB_HOST}:${port}`;
  const peer = `http://${LAB_HOST}:${peerPort}`;
  return [
    '--name=etcd',
    '--data-dir=etcd',
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=etcd=${peer}`,
    '--log-level=warn',
    // A test's data need not survive the machine.
    '--unsafe-no-fsync',
  ];
}

interface ApiServerContext {
  authority: TestAuthority;
  directory: string;
  apiPort: number;
  etcdPort: number;
}

async function apiServerArguments({ authority, directory, apiPort, etcdPort }: ApiServerContext): Promise<string[]> {
  const { certFile, keyFile } = await authority.certify('api-server', { ip: [LAB_HOST] });
  const accountKey = join(directory, 'service-accounts.key');
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  writeFileSync(accountKey, privateKey.export({ type: 'sec1', format: 'pem' }));
  const tokens = join(directory, 'tokens.csv');
  writeFileSync(tokens, `${TOKEN},tests,tests,"system:masters"\n`);
  return [
    `--etcd-servers=http://${LAB_HOST}:${etcdPort}`,
    `--bind-address=${LAB_HOST}`,
    `--secure-port=${apiPort}`,
    `--tls-cert-file=${certFile}`,
    `--tls-private-key-file=${keyFile}`,
    `--token-auth-file=${tokens}`,
    '--anonymous-auth=false',
    '--authorization-mode=RBAC',
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${accountKey}`,
    `--service-account-signing-key-file=${accountKey}`,
    '--service-cluster-ip-range=10.96.0.0/16,fd00:96::/112',
    // No pod connects to it.
    '--endpoint-reconciler-type=none',
  ];
}

function kubeconfigOf(server: string, authorityFile: string): string {
  // YAML is a superset of JSON.
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'tests', cluster: { server, 'certificate-authority': authorityFile } }],
    users: [{ name: 'tests', user: { token: TOKEN } }],
    contexts: [{ name: 'tests', context: { cluster: 'tests', user: 'tests' } }],
    'current-context': 'tests',
  });
}

function nodeIn(zone: string): object {
  const name = `node-${zone}`;
  const labels = { 'topology.kubernetes.io/zone': zone, 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux' };
  const capacity = { cpu: '16', memory: '64Gi', 'ephemeral-storage': '100Gi', pods: '110' };
  return { apiVersion: 'v1', kind: 'Node', metadata: { name, labels }, status: { capacity, allocatable: capacity } };
}

/** A new node is closed to pods until the node lifecycle controller has seen it ready. */
function isOpen(node: KubernetesObject): boolean {
  return isReady(node) && !node['spec']?.taints?.length;
}
