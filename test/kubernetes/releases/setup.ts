/** One control plane for all long tests, with the custom resources that releases and the demonstration may use. */
import type { TestProject } from 'vitest/node';
import { findKubernetesTools } from '../../harness/kubernetes-tools.ts';
import { Cluster } from '../control-plane/cluster.ts';
import { ControlPlane, type ControlPlaneAccess } from '../control-plane/control-plane.ts';
import { findControlPlane } from '../control-plane/programs.ts';

declare module 'vitest' {
  interface ProvidedContext {
    controlPlane: ControlPlaneAccess;
  }
}

export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const found = findControlPlane();
  const tools = await findKubernetesTools();
  if (found === undefined || tools === undefined) throw new Error('No control plane: run npm run kubernetes');
  const plane = await ControlPlane.start(found);
  try {
    const cluster = new Cluster(plane.access, tools);
    const files = found.customResourceFiles.flatMap((file) => ['--filename', file]);
    await cluster.kubectl('apply', '--server-side', ...files);
    await cluster.kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s');
  } catch (error) {
    await plane.close();
    throw error;
  }
  provide('controlPlane', plane.access);
  return () => plane.close();
}
