/** The control plane of this run, for a test file. */
import { afterAll, inject } from 'vitest';
import { findKubernetesTools } from '../../harness/kubernetes-tools.ts';
import { Cluster } from '../control-plane/cluster.ts';

export async function connect(): Promise<Cluster> {
  const tools = await findKubernetesTools();
  if (tools === undefined) throw new Error('helm and kubectl are missing');
  const cluster = new Cluster(inject('controlPlane'), tools);
  afterAll(() => cluster.close());
  return cluster;
}
