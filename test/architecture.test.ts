/** Enforces who may import whom (docs/architecture.md): a violation names the file and the import. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** The packages that a package may import. */
const PACKAGES: Record<string, string[]> = {
  'packages/protocol': [],
  'packages/config': [],
  'packages/metrics': [],
  'packages/http': ['packages/config', 'packages/protocol'],
  'packages/telemetry': ['packages/config', 'packages/metrics'],
  'packages/gateway': [
    'packages/protocol',
    'packages/config',
    'packages/http',
    'packages/metrics',
    'packages/page',
    'packages/telemetry',
  ],
  'packages/page': ['packages/protocol'],
  'packages/status': ['packages/protocol'],
  'packages/mirror': ['packages/protocol', 'packages/status'],
  'packages/bridge': [
    'packages/protocol',
    'packages/config',
    'packages/http',
    'packages/metrics',
    'packages/telemetry',
  ],
  'packages/lab': ['packages/protocol'],
};

/**
 * What a place of gateway or bridge may import, besides itself: packages, folders and single files. A place is a folder, or a file
 * directly in `src` that may import more than its neighbours. `packages/x/src` is the files directly in it, not its folders.
 */
const PLACES: Record<string, string[]> = {
  'packages/gateway/src': ['packages/metrics', 'packages/protocol'],
  'packages/gateway/src/metrics.ts': ['packages/gateway/src/metrics', 'packages/metrics', 'packages/telemetry'],
  'packages/gateway/src/metrics': [
    'packages/gateway/src/authentication',
    'packages/gateway/src/clusters',
    'packages/gateway/src/consumers',
    'packages/gateway/src/discovery',
    'packages/gateway/src/exchange',
    'packages/gateway/src/ownership',
    'packages/gateway/src/quotas',
    'packages/gateway/src/regions',
    'packages/gateway/src/upstream',
    'packages/gateway/src/config',
    'packages/gateway/src',
    'packages/http',
    'packages/metrics',
    'packages/protocol',
  ],
  'packages/gateway/src/listen': [
    'packages/gateway/src/exchange',
    'packages/gateway/src/events.ts',
    'packages/config/src/listen-tls.ts',
    'packages/config/src/report-pace.ts',
    'packages/http',
    'packages/protocol',
  ],
  'packages/gateway/src/clusters': [
    'packages/gateway/src/config/clusters.ts',
    'packages/gateway/src/events.ts',
    'packages/gateway/src/upstream',
    'packages/protocol',
  ],
  'packages/gateway/src/exchange': [
    'packages/gateway/src/clusters',
    'packages/gateway/src/consumers',
    'packages/gateway/src/ownership',
    'packages/gateway/src/regions',
    'packages/gateway/src/upstream',
    'packages/gateway/src',
    // The networks of peers and clients only: the hot path reads no configuration.
    'packages/config/src/client-address.ts',
    'packages/config/src/report-pace.ts',
    'packages/config/src/trust.ts',
    'packages/http',
    'packages/metrics',
    'packages/protocol',
  ],
  'packages/gateway/src/consumers': [
    'packages/gateway/src/ownership',
    'packages/gateway/src/regions',
    'packages/gateway/src/upstream',
    'packages/gateway/src',
    'packages/protocol',
  ],
  'packages/gateway/src/ownership': ['packages/gateway/src/regions', 'packages/protocol'],
  'packages/gateway/src/authentication': [
    'packages/gateway/src/config/auth.ts',
    'packages/gateway/src/config/auth-credentials.ts',
    'packages/gateway/src/exchange/admission.ts',
    'packages/gateway/src/exchange/client-request.ts',
    // Why an issuer cannot be reached.
    'packages/gateway/src/regions/connection-failure.ts',
    'packages/config',
    // The identity of a connection.
    'packages/http/src/peer.ts',
    'packages/metrics/src/distribution.ts',
    'packages/protocol',
  ],
  'packages/gateway/src/gatekeeper.ts': [
    'packages/gateway/src/authentication',
    'packages/gateway/src/authorization',
    'packages/gateway/src/exchange',
    'packages/protocol',
  ],
  'packages/gateway/src/authorization': ['packages/protocol'],
  'packages/gateway/src/quotas': [
    'packages/gateway/src/config/quotas.ts',
    'packages/gateway/src/exchange/admission.ts',
    'packages/gateway/src/exchange/client-request.ts',
    'packages/gateway/src/exchange/gatekeeper.ts',
    'packages/gateway/src/errors.ts',
    'packages/gateway/src/stats.ts',
    'packages/config',
    'packages/protocol/src/routing.ts',
    // The connection under TLS.
    'packages/http/src/carrier.ts',
  ],
  'packages/gateway/src/discovery': [
    'packages/gateway/src/config/schema.ts',
    'packages/gateway/src/events.ts',
    'packages/protocol',
  ],
  'packages/gateway/src/upstream': [
    // The files of certificates, and their changes.
    'packages/config/src/certificate-life.ts',
    'packages/config/src/upstream-tls.ts',
    'packages/config/src/watch.ts',
    'packages/gateway/src/discovery/lookup-pace.ts',
    'packages/http/src/indexed-list.ts',
    'packages/protocol',
  ],
  'packages/gateway/src/regions': [
    'packages/gateway/src/clusters',
    'packages/gateway/src/discovery',
    'packages/gateway/src/upstream',
    'packages/gateway/src/config',
    'packages/gateway/src',
    'packages/http/src/indexed-list.ts',
    'packages/metrics',
    'packages/protocol',
  ],
  'packages/gateway/src/config': [
    'packages/gateway/src/authentication/credentials-file.ts',
    'packages/gateway/src/authentication/jwks.ts',
    // What rules say, for their checks.
    'packages/gateway/src/authorization/rule-index.ts',
    'packages/gateway/src/authorization/rules.ts',
    // What is the address of a server.
    'packages/gateway/src/discovery/resolv-conf.ts',
    'packages/config',
    // What a Kafka cluster may be called.
    'packages/protocol/src/clusters.ts',
    'packages/http/src/certificates.ts',
    'packages/http/src/in-flight-bytes.ts',
    'packages/protocol/src/topic-filter.ts',
    'packages/telemetry',
  ],
  'packages/gateway/src/watch': [
    'packages/gateway/src/exchange',
    'packages/gateway/src/regions',
    'packages/protocol',
    'packages/telemetry',
  ],
  'packages/gateway/src/admin': [
    'packages/gateway/src/clusters',
    'packages/gateway/src/config/admin.ts',
    'packages/gateway/src/config/listeners.ts',
    'packages/gateway/src/consumers',
    'packages/gateway/src/discovery',
    'packages/gateway/src/listen/certificates.ts',
    'packages/gateway/src/regions',
    'packages/gateway/src',
    'packages/config',
    'packages/http',
    'packages/metrics',
    'packages/page',
    'packages/protocol',
  ],
  'packages/bridge/src': ['packages/protocol'],
  'packages/bridge/src/config.ts': [
    'packages/bridge/src/consumers/reset-policy.ts',
    'packages/config',
    'packages/telemetry',
    'packages/protocol',
  ],
  'packages/bridge/src/http-config.ts': ['packages/config', 'packages/http'],
  'packages/bridge/src/load.ts': ['packages/bridge/src/kafka/client/security.ts', 'packages/config'],
  'packages/bridge/src/clusters-config.ts': ['packages/config'],
  'packages/bridge/src/kafka-config.ts': ['packages/config', 'packages/protocol'],
  'packages/bridge/src/metrics.ts': [
    'packages/bridge/src/metrics',
    'packages/bridge/src/ownership',
    'packages/metrics',
    'packages/protocol',
    'packages/telemetry',
  ],
  'packages/bridge/src/metrics': [
    'packages/bridge/src/idempotency',
    'packages/bridge/src/ownership',
    'packages/metrics',
    'packages/protocol',
  ],
  'packages/bridge/src/http': [
    'packages/bridge/src/clusters',
    'packages/bridge/src/consumers',
    'packages/bridge/src/idempotency',
    'packages/bridge/src/ownership',
    'packages/bridge/src/replication/replicated-acks.ts',
    'packages/bridge/src/formats',
    'packages/bridge/src',
    'packages/config',
    'packages/http',
    'packages/metrics',
    'packages/protocol',
  ],
  'packages/bridge/src/watch': [
    'packages/bridge/src/http',
    'packages/bridge/src',
    'packages/config',
    'packages/http',
    'packages/protocol',
    'packages/telemetry',
  ],
  'packages/bridge/src/consumers': [
    'packages/bridge/src/ownership',
    'packages/bridge/src/formats',
    'packages/bridge/src/kafka',
    'packages/bridge/src',
    'packages/protocol',
  ],
  'packages/bridge/src/ownership': ['packages/bridge/src/kafka', 'packages/bridge/src', 'packages/protocol'],
  'packages/bridge/src/clusters': [
    'packages/bridge/src/replication',
    'packages/bridge/src/kafka',
    'packages/bridge/src',
    'packages/protocol',
  ],
  'packages/bridge/src/replication': [
    'packages/bridge/src/kafka',
    'packages/bridge/src/ownership/session-entry.ts',
    'packages/bridge/src/ownership/session-identity.ts',
    'packages/bridge/src',
    'packages/metrics/src/distribution.ts',
    'packages/protocol',
  ],
  'packages/bridge/src/idempotency': [
    'packages/bridge/src/kafka',
    'packages/bridge/src/producer',
    'packages/bridge/src',
    'packages/metrics',
    'packages/protocol',
  ],
  'packages/bridge/src/producer': [
    'packages/bridge/src/kafka',
    'packages/bridge/src',
    'packages/metrics',
    'packages/protocol',
  ],
  'packages/bridge/src/formats': ['packages/bridge/src', 'packages/protocol'],
  'packages/bridge/src/kafka': ['packages/bridge/src', 'packages/config', 'packages/metrics', 'packages/protocol'],
};

/** Libraries that only some places may import. */
const ONLY_IN: Record<string, RegExp> = {
  '@platformatic/kafka': /^packages\/bridge\/src\/kafka\//,
  jose: /^packages\/(?:gateway\/src\/authentication|lab\/src\/tenants)\//,
  kafkajs: /^(?:packages\/lab|test)\//,
  '@peculiar/x509': /^packages\/lab\/src\/secure\/certificate\.ts$/,
  '@opentelemetry/api': /^packages\/(?:telemetry|gateway\/src\/watch|bridge\/src\/watch)\//,
  '@opentelemetry/sdk-trace': /^packages\/telemetry\/src\/tracing\.ts$/,
  'sonic-boom': /^packages\/telemetry\/src\/access-log\.ts$/,
  opossum: /^packages\/gateway\/src\/regions\/breaker\.ts$/,
  undici: /^(?:packages\/gateway\/src\/(?:admin|authentication)|packages\/lab|test)\//,
  'eventsource-parser': /^packages\/page\//,
  'prom-client': /^packages\/metrics\/src\/exposition\.ts$/,
};

/** Composition roots, and files of a package's top folder that compose: they may import every folder of their package. */
const COMPOSERS =
  /^packages\/(?:gateway\/src\/(?:front-door|gateway|main|running-config)|bridge\/src\/(?:app|client-access|main|parts|servers))\.ts$/;

interface Import {
  file: string;
  target: string;
}

const files = readdirSync(join(ROOT, 'packages'), { recursive: true, encoding: 'utf8' })
  .map((name) => join('packages', name))
  .filter((name) => /\/src\/.*\.ts$/.test(name) && !name.endsWith('.test.ts') && !name.includes('node_modules'));

function importsOf(file: string): Import[] {
  const text = readFileSync(join(ROOT, file), 'utf8');
  const specifiers = [
    ...text.matchAll(
      /^(?:import|export)\b[^'"]*?from\s+'([^']+)'|^import\s+'([^']+)'|\bimport(?:\.meta\.resolve)?\('([^']+)'\)/gm,
    ),
  ];
  return specifiers.map((match) => ({ file, target: match[1] ?? match[2] ?? match[3] ?? '' }));
}

/** A path below the root, or the name of a library. */
function resolveTarget({ file, target }: Import): string {
  if (target.startsWith('.')) return relative(ROOT, resolve(ROOT, dirname(file), target));
  const own = /^@causeway\/([^/]+)\/(.*)$/.exec(target);
  return own === null ? target : `packages/${own[1]}/src/${own[2]}`;
}

function packageOf(path: string): string {
  return path.split('/', 2).join('/');
}

function isIn(path: string, place: string): boolean {
  return path === place || (place.endsWith('/src') ? dirname(path) === place : path.startsWith(`${place}/`));
}

/** The narrowest place that a file is in. */
function placeOf(file: string): string | undefined {
  return Object.keys(PLACES)
    .filter((place) => isIn(file, place))
    .sort((a, b) => b.length - a.length)[0];
}

/** The permissions that allow the import of `target`, by their owner; none: it is forbidden. */
function permissionsFor(file: string, target: string): string[] {
  const own = packageOf(file);
  const other = packageOf(target);
  const ofPackage = own === other ? [] : permissions(own, PACKAGES, (allowed) => allowed === other);
  if (own !== other && ofPackage.length === 0) return [];
  const place = placeOf(file);
  if (COMPOSERS.test(file) || !hasPlaces(file)) return own === other ? [`${own} -> itself`] : ofPackage;
  if (place === undefined) return [];
  // Files beside a file with permissions of its own are its neighbours.
  if (isIn(target, place.endsWith('.ts') ? dirname(place) : place)) return [`${place} -> itself`];
  const ofPlace = permissions(place, PLACES, (allowed) => isIn(target, allowed));
  return ofPlace.length === 0 ? [] : [...ofPackage, ...ofPlace];
}

function permissions(owner: string, table: Record<string, string[]>, allows: (allowed: string) => boolean): string[] {
  return (table[owner] ?? []).filter(allows).map((allowed) => `${owner} -> ${allowed}`);
}

function hasPlaces(file: string): boolean {
  return Object.keys(PLACES).some((place) => packageOf(place) === packageOf(file));
}

describe('imports', () => {
  const imports = files.flatMap(importsOf);

  test('the check finds the code', () => {
    expect(files.length).toBeGreaterThan(10);
    expect(imports.length).toBeGreaterThan(files.length);
  });

  const own = imports
    .map((found) => ({ file: found.file, target: resolveTarget(found) }))
    .filter(({ target }) => target.startsWith('packages/'));

  test('packages, folders and files import only what they may', () => {
    expect(own.filter(({ file, target }) => permissionsFor(file, target).length === 0)).toEqual([]);
  });

  test('every permission is used', () => {
    const used = new Set(own.flatMap(({ file, target }) => permissionsFor(file, target)));
    const granted = [PACKAGES, PLACES].flatMap((table) =>
      Object.entries(table).flatMap(([owner, targets]) => targets.map((target) => `${owner} -> ${target}`)),
    );
    expect(granted.filter((permission) => !used.has(permission))).toEqual([]);
    const unused = Object.keys(ONLY_IN).filter(
      (library) => !imports.some(({ target }) => target === library || target.startsWith(`${library}/`)),
    );
    expect(unused).toEqual([]);
  });

  test('clients in a pod need no library that the gateway does not have', () => {
    const reached = new Set(['packages/lab/src/traffic/main.ts']);
    const libraries = new Set<string>();
    for (const file of reached) {
      for (const target of importsOf(file).map(resolveTarget)) {
        if (target.startsWith('packages/')) reached.add(target);
        else if (!target.startsWith('node:')) libraries.add(target);
      }
    }
    expect([...libraries].sort()).toEqual(['typebox', 'undici']);
  });

  test('every package has a rule, and so has every place of gateway and bridge', () => {
    const without = files.filter(
      (file) => PACKAGES[packageOf(file)] === undefined || (hasPlaces(file) && placeOf(file) === undefined),
    );
    expect(without).toEqual([]);
  });

  test('no file imports itself through others', () => {
    const targets = new Map<string, string[]>();
    for (const found of imports) targets.set(found.file, [...(targets.get(found.file) ?? []), resolveTarget(found)]);
    const done = new Set<string>();
    const circles: string[] = [];
    const visit = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' -> '));
      if (done.has(file)) return;
      done.add(file);
      for (const target of targets.get(file) ?? []) visit(target, [...path, file]);
    };
    for (const file of files) visit(file, []);
    expect(circles).toEqual([]);
  });

  test('packages are imported by name, not by a path that leaves the package', () => {
    const broken = imports.filter(({ file, target }) => {
      if (!target.startsWith('.')) return false;
      const [, name] = file.split('/');
      return !relative(ROOT, resolve(ROOT, dirname(file), target)).startsWith(`packages/${name}/`);
    });
    expect(broken).toEqual([]);
  });

  test('libraries are used only where they belong', () => {
    const broken = imports.filter(({ file, target }) =>
      Object.entries(ONLY_IN).some(
        ([library, place]) => (target === library || target.startsWith(`${library}/`)) && !place.test(file),
      ),
    );
    expect(broken).toEqual([]);
  });

  test('only main.ts and the reaper touch argv, exit and signals', () => {
    const broken = files.filter(
      (file) =>
        !/\/(?:main|reaper)\.ts$/.test(file) &&
        /\bprocess\.(?:argv|exit\b|exitCode|on\()/.test(readFileSync(join(ROOT, file), 'utf8')),
    );
    expect(broken).toEqual([]);
  });
});
