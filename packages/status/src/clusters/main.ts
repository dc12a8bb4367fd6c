/** `npm run clusters`: which Kafka cluster is active, its promotion, and the return of one that was lost. */
import { resolve } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { KafkaClusters, Promoted } from '@causeway/protocol/admin/model.ts';
import {
  countLost,
  formatPromotion,
  isLossKnown,
  type LossReport,
  type PreparedReplication,
} from '@causeway/protocol/clusters.ts';
import { versionLine } from '@causeway/protocol/version.ts';
import { clusterLines } from '../cluster-lines.ts';
import { trustAuthority } from '../trust-authority.ts';
import { type ClusterArguments, readArguments, USAGE } from './arguments.ts';
import { ClustersClient } from './client.ts';
import { toConnectorOffset } from './connector-offset.ts';
import { saveTail } from './save-tail.ts';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
/** A cluster that returns counts its records some seconds after its bridges serve. */
const REPORT_TIMEOUT_MS = 60_000;
/** MirrorMaker starts within seconds, and first copies what was written since the promotion. */
const REPLICATION_TIMEOUT_MS = 30_000;
const LOOK_EVERY_MS = 500;

/** Returns lines for the operator. Errors: `Error` whose message says what was refused and why. */
async function run({
  command,
  cluster,
  isForced,
  file,
  isDiscarding,
  isPeerGone,
  isJson,
  gateway,
}: ClusterArguments): Promise<string[]> {
  const client = new ClustersClient(gateway);
  const path = file === undefined ? undefined : resolve(process.env['INIT_CWD'] ?? '.', file);
  switch (command) {
    case 'list':
      return clusterLines(await client.list(), { at: new Date().toISOString(), paint: (_, text) => text });
    case 'promote':
      return promotedLines(await client.promote(cluster, isForced));
    case 'save':
      return [await save(client, await finalReport(client, cluster), path)];
    case 'replication-ended':
      await client.endReplication(cluster, undefined);
      return [`Replication from ${cluster} may begin.`];
    case 'prepare':
      return preparedLines(await client.prepare(cluster, isJson), isJson);
    case 'rejoin': {
      const clusters = await client.list();
      const isFenced = clusters.members.some(({ name, mode }) => name === cluster && mode === 'fenced');
      const lines: string[] = [];
      // Otherwise the gateway says why it cannot rejoin.
      if (isFenced && !isDiscarding && !isPeerGone) {
        const report = await finalReport(client, cluster);
        const count = countLost(report.ranges);
        if (count > 0 && path === undefined) {
          throw new Error(`${cluster} alone has ${count} records: save them with --save FILE, or give --discard`);
        }
        if (count > 0) lines.push(await save(client, report, path));
      }
      const { clusters: after, report } = await client.rejoin(cluster, isPeerGone);
      const count = report === null ? 'an unknown number of' : String(countLost(report.ranges));
      return [
        ...lines,
        `${cluster} stands by; it alone has ${count} records.`,
        await replicationLine(client, cluster, after.active),
      ];
    }
  }
}

/** Whether the replication to a cluster that has just rejoined runs, as soon as it does. */
async function replicationLine(client: ClustersClient, cluster: string, active: string): Promise<string> {
  const deadlineMs = performance.now() + REPLICATION_TIMEOUT_MS;
  let isEnded: boolean | null = null;
  while (performance.now() < deadlineMs) {
    const { members, isReplicationEnded } = await client.list();
    isEnded = isReplicationEnded;
    const { replication = null } = members.find(({ name }) => name === cluster) ?? {};
    if (
      replication !== null &&
      replication.problem === null &&
      replication.from === active &&
      replication.records === 0
    )
      return `It has everything that ${active} has: the replication runs.`;
    await delay(LOOK_EVERY_MS);
  }
  if (isEnded === false) {
    return `MirrorMaker may still fill ${active}: npm run mirror-maker beside it says when that has ended. If it does not run, stop MirrorMaker, then: npm run clusters -- replication-ended ${active}. Replication to ${cluster} begins after that.`;
  }
  return `The replication from ${active} to it does not run, or is behind. Without npm run mirror-maker: npm run clusters -- prepare ${cluster}, then start MirrorMaker in this direction (docs/disaster-recovery.md).`;
}

function preparedLines({ source, target, positions }: PreparedReplication, isJson: boolean): string[] {
  if (isJson) {
    const offsets = positions.map((position) => toConnectorOffset(source, position));
    return [JSON.stringify({ offsets }, undefined, 2)];
  }
  return [
    `MirrorMaker from ${source} to ${target} begins behind what ${target} has (${positions.length} positions are set). Start it.`,
  ];
}

/** What a cluster that returned alone has, once its bridges have counted it. Errors: `Error` if there is no such report in time. */
async function finalReport(client: ClustersClient, cluster: string): Promise<LossReport> {
  const deadlineMs = performance.now() + REPORT_TIMEOUT_MS;
  for (;;) {
    const report = reportOf(await client.list(), cluster);
    if (report?.isFinal === true) return report;
    if (performance.now() > deadlineMs) {
      const what =
        report === undefined ? 'There is no report of a loss' : 'No bridge has completed the report of the loss';
      throw new Error(`${what} of ${cluster}: both clusters must be reachable from its bridges`);
    }
    await delay(LOOK_EVERY_MS);
  }
}

function reportOf({ members }: KafkaClusters, cluster: string): LossReport | undefined {
  const reports = members.flatMap(({ report }) => (report?.lost === cluster ? [report] : []));
  return reports.find(({ isFinal }) => isFinal) ?? reports[0];
}

async function save(client: ClustersClient, report: LossReport, path: string | undefined): Promise<string> {
  if (path === undefined) throw new Error('give --save FILE');
  const count = await saveTail(client, report, path);
  return `${count} records that ${report.lost} alone has are in ${path}.`;
}

function promotedLines({ promotion, kind, report, clusters }: Promoted): string[] {
  const lines = [`${promotion.cluster} is active (${formatPromotion(promotion)}, ${kind}).`];
  if (report !== null) {
    const count = isLossKnown(report) ? String(countLost(report.ranges)) : 'an unknown number of';
    const sure = isLossKnown(report) ? 'as far as they were seen' : 'whose ends were never seen';
    lines.push(`It lacks ${count} records of ${report.lost}, ${sure}${report.ranges.length === 0 ? '.' : ':'}`);
    for (const { topic, partition, from, to } of report.ranges) {
      lines.push(`  ${topic} partition ${partition}, offsets ${from} to ${to - 1}`);
    }
  }
  const others = clusters.members.filter(({ name }) => name !== promotion.cluster).map(({ name }) => name);
  const sources = others.join(', ');
  lines.push(
    `Without npm run mirror-maker: stop MirrorMaker from ${sources}, and start it from ${promotion.cluster} once the other cluster stands by (docs/disaster-recovery.md).`,
  );
  return lines;
}

async function main(): Promise<number> {
  let options: ClusterArguments | 'help' | 'version';
  try {
    const directories = [process.env['INIT_CWD'] ?? process.cwd(), ROOT];
    options = readArguments(process.argv.slice(2), { env: process.env, directories });
    if (typeof options === 'object' && options.gateway.caFile !== undefined) trustAuthority(options.gateway.caFile);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}\n`);
    return 2;
  }
  if (options === 'help' || options === 'version') {
    process.stdout.write(`${options === 'help' ? USAGE : versionLine()}\n`);
    return 0;
  }
  try {
    process.stdout.write(`${(await run(options)).join('\n')}\n`);
    return 0;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}

process.exitCode = await main();
