import { BridgeConfig, checkBridgeConfig } from '@causeway/bridge/config.ts';
import { ConfigError, parseConfig } from '@causeway/config/load.ts';
import { masked } from '@causeway/config/masked.ts';
import type { TObject } from '@causeway/config/schema.ts';
import { describeChanges } from '@causeway/gateway/config/changes.ts';
import { findConfigProblems } from '@causeway/gateway/config/load.ts';
import { GatewayConfig } from '@causeway/gateway/config/schema.ts';
import { describe, expect, test } from 'vitest';

interface SchemaNode {
  type?: string;
  pattern?: string;
  format?: string;
  writeOnly?: boolean;
  properties?: Record<string, SchemaNode>;
  patternProperties?: Record<string, SchemaNode>;
  items?: SchemaNode;
}

interface Key {
  path: string[];
  node: SchemaNode;
}

const MARKER = 's3cret-marker';
const SCHEMAS: readonly [string, TObject][] = [
  ['gateway', GatewayConfig],
  ['bridge', BridgeConfig],
];

function keysOf(schema: TObject): Key[] {
  const keys: Key[] = [];
  const visit = (node: SchemaNode, path: string[]): void => {
    for (const [key, child] of Object.entries(node.properties ?? {})) {
      keys.push({ path: [...path, key], node: child });
      visit(child, [...path, key]);
    }
    if (node.items !== undefined) visit(node.items, [...path, '0']);
  };
  visit(schema as unknown as SchemaNode, []);
  return keys;
}

/** YAML with this value at `path`, and nothing else. */
function fileWith(path: readonly string[], value: unknown): string {
  const nested = path.reduceRight<unknown>((inner, key) => (key === '0' ? [inner] : { [key]: inner }), value);
  return JSON.stringify(nested);
}

function problemsOf(kind: string, text: string): string {
  if (kind === 'gateway') {
    return findConfigProblems(text, {})
      .map(({ path, reason }) => `${path}: ${reason}`)
      .join('\n');
  }
  try {
    parseConfig('', text, { schema: BridgeConfig, env: {}, check: checkBridgeConfig });
    return '';
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
}

describe.each(SCHEMAS)('the configuration of a %s', (kind, schema) => {
  const keys = keysOf(schema);
  const secrets = keys.filter(({ node }) => node.writeOnly === true);
  const urls = keys.filter(({ path, node }) => node.type === 'string' && /url$|^endpoint$/i.test(path.at(-1) ?? ''));

  test('marks every key with a secret name as a secret', () => {
    const isNamedSo = /(?:password|passphrase|secret|token|headers)$/i;
    const named = keys.filter(({ path, node }) => isNamedSo.test(path.at(-1) ?? '') && node.type !== 'array');
    const unmarked = named.filter(({ node }) => node.writeOnly !== true).map(({ path }) => path.join('.'));
    expect(unmarked).toEqual([]);
    expect(secrets.length).toBeGreaterThan(1);
  });

  test.each(secrets.map(({ path, node }) => [path.join('.'), node] as const))(
    'the value of %s appears in no error',
    (path, node) => {
      const wrong = node.type === 'object' ? [MARKER, [MARKER], { a: [MARKER] }] : [[MARKER], { a: MARKER }];
      for (const value of wrong) {
        const problems = problemsOf(kind, fileWith(path.split('.'), value));
        // The value is rejected, and the error names the key.
        expect(problems).toContain(path.replaceAll(/\.(\d+)/g, '[$1]'));
        expect(problems).not.toContain(MARKER);
      }
      for (const value of [MARKER, `${MARKER}\n ü`]) {
        expect(problemsOf(kind, fileWith(path.split('.'), value))).not.toContain(MARKER);
      }
    },
  );

  test.each(urls.map(({ path }) => path.join('.')))('%s rejects credentials, without repeating them', (path) => {
    for (const url of [`http://user:${MARKER}@host`, `http://${MARKER}@host:1`, `http://${MARKER}@ho st`]) {
      const problems = problemsOf(kind, fileWith(path.split('.'), url));
      expect(problems).toContain(path.split('.').at(-1));
      expect(problems).not.toContain(MARKER);
    }
  });

  test.each(secrets.map(({ path }) => path.join('.')))('%s is masked wherever a configuration is shown', (path) => {
    const value = path.endsWith('headers') ? { authorization: MARKER } : MARKER;
    const shown = JSON.stringify(masked(schema, JSON.parse(fileWith(path.split('.'), value))));
    expect(shown).toContain(`"${path.split('.').at(-1)}":`);
    expect(shown).not.toContain(MARKER);
  });
});

describe('a reload reports only that a secret changed', () => {
  const config = (extra: object): GatewayConfig =>
    parseConfig(
      '',
      JSON.stringify({ regions: [{ name: 'east', targets: [{ url: 'http://127.0.0.1:1' }] }], ...extra }),
      {
        schema: GatewayConfig,
        env: {},
      },
    );
  const secret = { admin: { token: MARKER }, trust: { secret: `${MARKER}-of-trust` } };
  const cases: [string, object, object][] = [
    ['new', {}, secret],
    ['replaced', secret, { admin: { token: `${MARKER}2` }, trust: { secret: `${MARKER}-of-trust-2` } }],
    ['emptied', secret, { admin: { token: '' }, trust: { secret: '' } }],
    ['filled', { admin: { token: '' }, trust: { secret: '' } }, secret],
    ['removed', secret, {}],
  ];
  test.each(cases)('that is %s', (_what, before, after) => {
    const changes = describeChanges(config(before), config(after));
    expect(changes.map((change) => change.split(':')[0])).toEqual(['admin.token', 'trust.secret']);
    expect(changes.join('\n')).not.toContain(MARKER);
  });
});
