/**
 * What kube-score (https://github.com/zegl/kube-score) finds in the chart's examples, where it is installed:
 *
 *     GOBIN=/usr/local/bin go install github.com/zegl/kube-score/cmd/kube-score@v1.20.0
 */
import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { expect, test } from 'vitest';
import { EXAMPLES, goldenFile } from './chart.ts';

/** What the chart does otherwise, and why. */
const ACCEPTED: Readonly<Record<string, string>> = {
  'CPU limit is not set':
    'a limit would stop the one busy thread in the middle of a request, although the node has time',
  'ImagePullPolicy is not set to Always': 'the tag is a version, and pods must start while the registry is down',
  'The container is running with a low user ID': "1000 is the image's own user; OpenShift chooses others",
  'The container running with a low group ID': "1000 is the image's own group; OpenShift chooses others",
  'Deployment does not have a host podAntiAffinity set': 'topologySpreadConstraints spread the pods',
  'StatefulSet does not have a host podAntiAffinity set': 'topologySpreadConstraints spread the pods',
};

const isInstalled = spawnSync('kube-score', ['version'], { stdio: 'ignore' }).status === 0;
if (!isInstalled) {
  const reason = 'kube-score is not installed (Go: github.com/zegl/kube-score/cmd/kube-score@v1.20.0)';
  if (process.env['CI'] === 'true') throw new Error(reason);
  process.stderr.write(`${reason}: its test is left out\n`);
}

test.skipIf(!isInstalled)('kube-score finds what is accepted here, and nothing else', () => {
  const args = ['score', '--output-format', 'ci', '--kubernetes-version', 'v1.30', ...EXAMPLES.map(goldenFile)];
  const { stdout } = spawnSync('kube-score', args, { encoding: 'utf8' });
  const lines = stdout.trim().split('\n');
  expect(lines.filter((line) => line.startsWith('[OK]')).length).toBeGreaterThan(20 * EXAMPLES.length);
  const findings = lines.flatMap(
    (line) => /^\[(?:CRITICAL|WARNING)\] \S+ \S+: (?:\(\S+\) )?(.*)$/.exec(line)?.[1] ?? [],
  );
  expect([...new Set(findings)].sort()).toEqual(Object.keys(ACCEPTED).sort());
});
