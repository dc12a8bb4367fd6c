/** Starts the longest test files first, so that none of them runs alone at the end of a run. */
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that take longer than others of their size. Without a cache of durations, as in CI, Vitest sorts by size only. */
const LONG: readonly RegExp[] = [
  /\/test\/e2e\/page\.test\.ts$/,
  /\/test\/chaos\/survival\.test\.ts$/,
  /\/test\/e2e\/rollout\.test\.ts$/,
  /\/test\/attack\/attack\.test\.ts$/,
  /\/test\/e2e\/failover\.test\.ts$/,
  /\/test\/page\/page\.test\.ts$/,
  /\/test\/e2e\/routing\.test\.ts$/,
  /\/packages\/bridge\/test\/(?:blackout|client-identity|survival|security|brokers|far-kafka)\.test\.ts$/,
  /\/test\/conformance\/conformance\.test\.ts$/,
  /\/test\/hostile\/(?:crowds|requests)\.test\.ts$/,
  /\/test\/e2e\/(?:npm-start|prometheus|secure)\.test\.ts$/,
  /\/packages\/lab\/src\/stack\/stack\.test\.ts$/,
  /\/test\/session-(?:model|rules)\.test\.ts$/,
  /\/packages\/bridge\/test\/(?:session-log-deleted|outage)\.test\.ts$/,
  /\/packages\/bridge\/src\/(?:http\/overload|ownership\/session-log-outage|kafka\/fetch\/fetcher)\.test\.ts$/,
  /\/test\/tenants\/tenants\.test\.ts$/,
  /\/test\/certificate-rotation\.test\.ts$/,
  /\/test\/tenants\/tenants\.test\.ts$/,
  /\/packages\/gateway\/test\/http2-floods\.test\.ts$/,
  /\/test\/(?:http-connections|release)\.test\.ts$/,
];

export class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    // The order of groups comes first: `timed` runs after all others, then `paired`, then `alone`.
    return sorted.toSorted((a, b) => groupOf(a) - groupOf(b) || rankOf(a) - rankOf(b));
  }
}

function groupOf({ project }: TestSpecification): number {
  return project.config.sequence.groupOrder;
}

function rankOf({ moduleId }: TestSpecification): number {
  const rank = LONG.findIndex((pattern) => pattern.test(moduleId));
  return rank === -1 ? LONG.length : rank;
}
