/** The Helm chart of the repository, rendered. */
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';

const run = promisify(execFile);

export const CHART = fileURLToPath(new URL('../../deploy/helm/causeway', import.meta.url));
export const EXAMPLES = readdirSync(`${CHART}/examples`).map((file) => file.replace(/\.yaml$/, ''));

/** An object of Kubernetes, as far as tests look at it. */
export interface KubernetesObject {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    uid?: string;
    deletionTimestamp?: string;
  };
  // biome-ignore lint/suspicious/noExplicitAny: the shape depends on the kind, and the schemas of Kubernetes check it.
  [key: string]: any;
}

export function exampleFile(example: string): string {
  return `${CHART}/examples/${example}.yaml`;
}

/** What the example renders, as tests keep it. */
export function goldenFile(example: string): string {
  return fileURLToPath(new URL(`golden/${example}.yaml`, import.meta.url));
}

/** `helm template`, as YAML. Errors: with what helm says. */
export async function render(helm: string, args: readonly string[]): Promise<string> {
  const { stdout } = await run(helm, ['template', 'causeway', CHART, '--namespace', 'kafka', ...args], {
    maxBuffer: 64 * 1024 * 1024,
  });
  return stdout;
}

export function objectsOf(text: string): KubernetesObject[] {
  return parseAllDocuments(text).flatMap((document) => {
    const object: unknown = document.toJS();
    return object === null ? [] : [object as KubernetesObject];
  });
}

/** The dashboard and the alerts are copies of files in config/, and have tests of their own. */
export function withoutLongFiles(text: string): string {
  return text
    .replace(/(\n {2}causeway\.json: \|\n)(?: {4}.*\n)+/, '$1    (config/grafana/causeway.json)\n')
    .replace(
      /(\nkind: PrometheusRule\n[\s\S]*?\nspec:\n)(?:(?: {2}.*)?\n)+/,
      '$1  groups: [] # config/prometheus/causeway.rules.yml\n',
    );
}
