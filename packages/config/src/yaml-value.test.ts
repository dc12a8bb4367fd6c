/** Merge keys, aliases and x-… sections, as a program sees them after loading. */
import { describe, expect, test } from 'vitest';
import { ConfigError, parseConfig } from './load.ts';
import { Entry, Section, Type } from './schema.ts';

const schema = Entry(
  {
    name: Type.String({ description: 'Name.', default: '' }),
    port: Type.Integer({ description: 'Port.', default: 1, maximum: 65_535 }),
    tls: Type.Optional(Entry({ file: Type.String({ description: 'F.', default: '' }) }, { description: 'TLS.' })),
    limits: Section(
      {
        bytes: Type.Integer({ description: 'B.', default: 10 }),
        text: Type.String({ description: 'T.', default: 'none' }),
      },
      { description: 'Limits.' },
    ),
    regions: Type.Array(
      Entry(
        {
          name: Type.String({ description: 'N.' }),
          weight: Type.Integer({ description: 'W.', default: 100 }),
          targets: Type.Array(
            Entry(
              { url: Type.String({ description: 'U.' }), port: Type.Integer({ description: 'P.', default: 80 }) },
              { description: 'A target.' },
            ),
            { description: 'Targets.', default: [] },
          ),
        },
        { description: 'A region.' },
      ),
      { description: 'Regions.', default: [] },
    ),
  },
  { description: 'Test.' },
);

type Loaded = ReturnType<typeof load>;
function load(text: string, env: Record<string, string> = {}) {
  return parseConfig('x.yaml', text, { schema, env });
}

function problemsOf(text: string, env: Record<string, string> = {}): string[] {
  try {
    load(text, env);
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n');
    throw error;
  }
  return [];
}

const regionsOf = ({ regions }: Loaded): unknown[] => regions.map(({ name, weight }) => [name, weight]);

describe('a merge key', () => {
  test.each([
    ['adds what the mapping lacks', 'x-d: &d { weight: 5 }\nregions:\n  - <<: *d\n    name: a\n', [['a', 5]]],
    [
      'yields to the mapping itself, which stands behind it',
      'x-d: &d { weight: 5 }\nregions: [{ <<: *d, name: a, weight: 7 }]',
      [['a', 7]],
    ],
    [
      'yields to the mapping itself, which stands before it',
      'x-d: &d { weight: 5 }\nregions: [{ name: a, weight: 7, <<: *d }]',
      [['a', 7]],
    ],
    [
      'takes a list, of which the first one decides',
      'x-a: &a { weight: 1 }\nx-b: &b { weight: 2, name: b }\nregions: [{ <<: [*a, *b] }]',
      [['b', 1]],
    ],
    ['takes a mapping without an anchor', 'regions: [{ <<: { weight: 3 }, name: a }]', [['a', 3]]],
    [
      'takes in what its source merges',
      'x-a: &a { weight: 4, name: a }\nx-b: &b { <<: *a, name: b }\nregions: [{ <<: *b }, { <<: *b, name: c }]',
      [
        ['b', 4],
        ['c', 4],
      ],
    ],
    [
      'takes the anchor of another entry',
      'regions:\n  - &east { name: east, weight: 9 }\n  - { <<: *east, name: west }\n',
      [
        ['east', 9],
        ['west', 9],
      ],
    ],
    [
      'takes the last anchor of a name before it',
      'x-a: &d { weight: 1 }\nx-b: &d { weight: 2 }\nregions: [{ <<: *d, name: a }]',
      [['a', 2]],
    ],
    [
      'takes a null value of the mapping itself for a value',
      'x-d: &d { weight: 5 }\nregions: [{ <<: *d, name: a, weight: }]',
      'null',
    ],
  ] as const)('%s', (_, text, expected) => {
    if (expected === 'null') expect(problemsOf(text)).toEqual(['x.yaml:2: regions[0].weight: must be integer']);
    else expect(regionsOf(load(text))).toEqual(expected);
  });

  test('works in targets, in sections and at the top level', () => {
    const text = `
x-target: &target { port: 8080 }
x-limits: &limits { bytes: 20 }
x-all: &all { name: mine, limits: { <<: *limits, text: more } }
<<: *all
regions:
  - name: east
    targets:
      - { <<: *target, url: a }
      - { <<: *target, url: b, port: 1 }
`;
    expect(load(text)).toMatchObject({
      name: 'mine',
      limits: { bytes: 20, text: 'more' },
      regions: [
        {
          targets: [
            { url: 'a', port: 8080 },
            { url: 'b', port: 1 },
          ],
        },
      ],
    });
  });

  test('merges no deeper than one level, as YAML says', () => {
    const text = 'x-a: &a { limits: { bytes: 20 } }\n<<: *a\nlimits: { text: own }\n';
    expect(load(text).limits).toEqual({ bytes: 10, text: 'own' });
  });

  test('gives every use a value of its own', () => {
    const config = load('x-t: &t [{ url: a }]\nregions: [{ name: a, targets: *t }, { name: b, targets: *t }]');
    expect(config.regions[0]?.targets).toEqual(config.regions[1]?.targets);
    expect(config.regions[0]?.targets).not.toBe(config.regions[1]?.targets);
  });

  test('serves hundreds of entries with one anchor', () => {
    const entries = Array.from({ length: 1_000 }, (_, index) => `  - { <<: *d, name: r${index} }\n`).join('');
    expect(load(`x-d: &d { weight: 5, targets: [{ url: a }] }\nregions:\n${entries}`).regions).toHaveLength(1_000);
  });

  test.each([
    ['text', 'limits:\n  <<: text\n'],
    ['a list of texts', 'limits:\n  <<: [a]\n'],
    ['nothing', 'limits:\n  <<:\n'],
    ['an anchor of a list', 'x-a: &a [1]\nlimits: { <<: *a }\n'],
  ])('with %s is an error', (_, text) => {
    expect(problemsOf(text)).toEqual([
      'x.yaml:2: a merge key (<<) takes a mapping, such as *defaults, or a list of mappings',
    ]);
  });

  test('is a key like others in quotes', () => {
    expect(problemsOf('limits: { "<<": { bytes: 1 } }')).toEqual([
      'x.yaml:1: limits.<<: unknown key (known here: bytes, text)',
    ]);
  });
});

describe('an error in an anchor names the line where the key stands, and the place where it is used', () => {
  test.each([
    [
      'an unknown key',
      'x-d: &d\n  weight: 5\n  wight: 5\nregions:\n  - name: a\n    <<: *d\n',
      ['x.yaml:3: regions[0].wight: unknown key; did you mean weight? (known here: name, weight, targets)'],
    ],
    [
      'a value of another type, at each use',
      'x-d: &d\n  weight: much\nregions:\n  - { name: a, <<: *d }\n  - { name: b, <<: *d }\n',
      ['x.yaml:2: regions[0].weight: must be integer', 'x.yaml:2: regions[1].weight: must be integer'],
    ],
    [
      'a value in a mapping within the anchor',
      'x-t: &t\n  targets:\n    - url: a\n      port: x\nregions:\n  - name: a\n    <<: *t\n',
      ['x.yaml:4: regions[0].targets[0].port: must be integer'],
    ],
    [
      'a value that a source of the source has',
      'x-a: &a\n  port: 70000\nx-b: &b\n  <<: *a\n<<: *b\n',
      ['x.yaml:2: port: must be <= 65535'],
    ],
    [
      'a scalar for which an alias stands: the key before it',
      'x-p: &p 70000\nname: a\nport: *p\n',
      ['x.yaml:3: port: must be <= 65535'],
    ],
    [
      'a key that is missing, where the entry stands',
      'x-r: &r { weight: 1 }\nregions:\n  - name: a\n  - *r\n',
      ['x.yaml:4: regions[1]: the key name is missing'],
    ],
  ])('%s', (_, text, problems) => {
    expect(problemsOf(text)).toEqual(problems);
  });

  test('also one that the program finds', () => {
    const check = () => [{ path: ['regions', 0, 'weight'], reason: 'is too much' }];
    const text = 'x-d: &d\n  weight: 5\nregions: [{ <<: *d, name: a }]\n';
    expect(() => parseConfig('x.yaml', text, { schema, env: {}, check })).toThrow(
      'x.yaml:2: regions[0].weight: is too much',
    );
  });
});

describe('environment variables in anchors', () => {
  test('have the type of each place where they are used', () => {
    const text = 'x-v: &v ${VALUE}\nname: *v\nport: *v\nlimits: { bytes: *v, text: *v }\n';
    expect(load(text, { VALUE: '12' })).toMatchObject({ name: '12', port: 12, limits: { bytes: 12, text: '12' } });
  });

  test('have it in merged mappings, with and without quotes', () => {
    const text = 'x-d: &d { weight: "${W}", name: "${N}" }\nregions: [{ <<: *d }, { <<: *d, name: b }]\n';
    expect(regionsOf(load(text, { W: '5', N: '12' }))).toEqual([
      ['12', 5],
      ['b', 5],
    ]);
  });

  test('that are not set are reported once, with their line', () => {
    const text = 'x-d: &d\n  weight: ${W}\nregions: [{ <<: *d, name: a }, { <<: *d, name: b }]\n';
    expect(problemsOf(text)).toEqual([
      'x.yaml:2: the environment variable W is not set; set it or give a default: ${W:-…}',
    ]);
  });

  test('that no place uses need not be set', () => {
    expect(problemsOf('x-d: &d { weight: "${W}" }\nx-n: ${N}\nregions: [{ <<: *d, name: a, weight: 1 }]\n')).toEqual(
      [],
    );
  });
});

describe('sections that begin with x-', () => {
  test.each(['x-note: text', 'x-note:', 'x-: 1', 'x-a: { x-b: { limits: [1, { y: 2 }] } }', 'x-a: [*own, 1]'])(
    'may have any content at the top level: %s',
    (section) => {
      expect(load(`name: &own n\n${section}\n`)).toEqual(load('name: n'));
    },
  );

  test.each([
    ['limits: { x-note: 1 }', 'limits.x-note'],
    ['regions: [{ name: a, x-note: 1 }]', 'regions[0].x-note'],
  ])('are errors elsewhere: %s', (text, path) => {
    expect(problemsOf(text)).toEqual([
      `x.yaml:1: ${path}: unknown key: x-… sections may stand at the top level of the file only`,
    ]);
  });

  test('are not merged into sections unseen', () => {
    expect(problemsOf('x-a: &a { x-b: 1 }\nlimits: { <<: *a }\n')).toHaveLength(1);
    expect(problemsOf('x-a: &a { x-b: 1 }\n<<: *a\n')).toEqual([]);
  });
});

describe('aliases that would make too much', () => {
  const laughs = (first: string, line: (index: number) => string): string =>
    [first, ...Array.from({ length: 40 }, (_, index) => line(index + 1))].join('\n');

  test.each([
    [
      'lists of lists',
      `${laughs('x-0: &a0 [1]', (index) => `x-${index}: &a${index} [*a${index - 1}, *a${index - 1}, *a${index - 1}]`)}\nregions: *a40\n`,
    ],
    [
      'merge keys of merge keys, each with a key of its own',
      `${Array.from({ length: 2_000 }, (_, index) => `x-${index}: &a${index} { k${index}: 1${index === 0 ? '' : `, <<: *a${index - 1}`} }`).join('\n')}\nlimits: *a90\nname: *a1999\n`,
    ],
    [
      'a long list of one large mapping',
      `x-0: &a {${Array.from({ length: 100 }, (_, index) => `k${index}: 1`).join(', ')}}\nregions: [${'*a, '.repeat(2_000)}]\n`,
    ],
    [
      'a merge key with more mappings than a call takes arguments',
      `x-0: &a { k: 1 }\nlimits: { <<: [${'*a, '.repeat(150_000)}] }\n`,
    ],
  ])('are an error: %s', (_, text) => {
    expect(problemsOf(text)).toEqual([expect.stringMatching(/^x\.yaml:1: (?:aliases and merge keys add|more than)/)]);
  });

  test.each([
    ['a list', 'regions: &a [*a]\n'],
    ['a mapping', 'limits: &a { bytes: *a }\n'],
    ['a merge key', 'limits: &a { <<: *a }\n'],
    ['two', 'x-a: &a { limits: &b { <<: *a } }\nlimits: *b\n'],
  ])('because they contain themselves are an error: %s', (_, text) => {
    expect(problemsOf(text)[0]).toMatch(/^x\.yaml:\d: (?:the anchor &\w|this mapping) contains itself$/);
  });
});
