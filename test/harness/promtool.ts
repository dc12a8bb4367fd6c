/** promtool and Prometheus from the Debian package: check rules, expositions and configurations. */
import { spawnSync } from 'node:child_process';
import { hasDebianTool } from './debian-tool.ts';

/** Errors: with `CI=true`, if the package is not installed. */
export const hasPrometheus = hasDebianTool('prometheus', '--version');

/** Suffix for the names of tests that need it. */
export const PROMETHEUS_NOTE = hasPrometheus ? '' : ' (skipped: needs the Debian package prometheus)';

export interface PromtoolResult {
  isGood: boolean;
  output: string;
}

export function promtool(args: readonly string[], input = ''): PromtoolResult {
  const { status, stdout, stderr } = spawnSync('promtool', args, { input, encoding: 'utf8', timeout: 60_000 });
  return { isGood: status === 0, output: `${stdout}${stderr}` };
}
