import { describe, expect, test } from 'vitest';
import { ConfigError, loadConfig, parseConfig } from './load.ts';
import { Choice, Entry, Section, Type } from './schema.ts';

const schema = Entry(
  {
    listen: Section(
      {
        host: Type.String({ description: 'Address.', default: '127.0.0.1' }),
        port: Type.Integer({ description: 'Port.', default: 8080, minimum: 0, maximum: 65_535 }),
      },
      { description: 'Where to listen.' },
    ),
    mode: Choice(['fast', 'safe'], { description: 'How.', default: 'safe' }),
    regions: Type.Array(
      Entry(
        { name: Type.String({ description: 'Name.' }), weight: Type.Integer({ description: 'W.', default: 100 }) },
        { description: 'A region.' },
      ),
      { description: 'Regions.', default: [] },
    ),
  },
  { description: 'Test.' },
);

function problemsOf(text: string, env: Record<string, string> = {}): string[] {
  try {
    parseConfig('x.yaml', text, { schema, env });
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n');
    throw error;
  }
  return [];
}

test('an empty file is all defaults', () => {
  expect(parseConfig('x.yaml', '', { schema, env: {} })).toEqual({
    listen: { host: '127.0.0.1', port: 8080 },
    mode: 'safe',
    regions: [],
  });
});

describe('an error names the line, the key and the reason', () => {
  test.each([
    ['listen:\n  prot: 1\n', 'x.yaml:2: listen.prot: unknown key; did you mean port? (known here: host, port)'],
    ['listen:\n  Port: 1\n', 'x.yaml:2: listen.Port: unknown key; did you mean port? (known here: host, port)'],
    ['listen:\n  backlog: 1\n', 'x.yaml:2: listen.backlog: unknown key (known here: host, port)'],
    ['lisen: {}\n', 'x.yaml:1: lisen: unknown key; did you mean listen? (known here: listen, mode, regions)'],
    ['mode: quick\n', 'x.yaml:1: mode: must be one of: fast, safe'],
    ['\nlisten:\n  port: 70000\n', 'x.yaml:3: listen.port: must be <= 65535'],
    ['regions:\n  - name: a\n  - weight: 1\n', 'x.yaml:3: regions[1]: the key name is missing'],
    [
      'regions:\n  - name: a\n    wight: 1\n',
      'x.yaml:3: regions[0].wight: unknown key; did you mean weight? (known here: name, weight)',
    ],
    [
      'mode: "${NOWHERE}"\n',
      'x.yaml:1: the environment variable NOWHERE is not set; set it or give a default: ${NOWHERE:-…}',
    ],
    ['listen: 5\n', 'x.yaml:1: listen: must be object'],
    ['- a\n- b\n', 'x.yaml:1: must be object'],
  ])('%j', (text, message) => {
    expect(problemsOf(text)).toEqual([message]);
  });

  test('broken YAML', () => {
    expect(problemsOf('listen:\n  port: [1\n')[0]).toMatch(/^x\.yaml:\d: /);
  });

  test('an alias without its anchor', () => {
    const reason = 'there is no anchor for this alias before it; write a text that begins with * in quotes';
    expect(problemsOf('mode: *oops\n')).toEqual([`x.yaml:1: ${reason}`]);
    expect(problemsOf('listen:\n  <<: *oops\n')).toEqual([`x.yaml:2: ${reason}`]);
  });

  test.each([
    'mode: *hunter2',
    'mode: { a: b}hunter2 }',
    'mode: "a"hunter2',
    'mode: [a]hunter2',
    'mode: {a: &hunter2 *hunter2}',
  ])('a password that is no valid YAML is not quoted: %s', (text) => {
    const problems = problemsOf(`${text}\n`);
    expect(problems).not.toEqual([]);
    expect(problems.join('\n')).not.toContain('hunter2');
  });

  test('a key given twice', () => {
    expect(problemsOf('mode: fast\nmode: safe\n')[0]).toMatch(/^x\.yaml:\d: .*unique/i);
  });

  test('more than eight problems are all reported', () => {
    const text = `regions:\n${'  - name: a\n    wight: 1\n'.repeat(12)}`;
    expect(problemsOf(text)).toHaveLength(12);
  });

  test('a missing file', () => {
    expect(() => loadConfig('/nonexistent/x.yaml', { schema, env: {} })).toThrow(
      /x\.yaml:1: .* cannot be read: there is no such file/,
    );
  });
});

describe('environment variables', () => {
  test.each([
    ['listen: { port: "x" }', {}, undefined],
    ['listen:\n  port: ${PORT}', { PORT: '99' }, { host: '127.0.0.1', port: 99 }],
    ['listen:\n  port: ${PORT:-98}', {}, { host: '127.0.0.1', port: 98 }],
    ['listen:\n  port: ${PORT:-98}', { PORT: '' }, { host: '127.0.0.1', port: 98 }],
    ['listen:\n  host: h-${A}-${B:-b}', { A: 'a' }, { host: 'h-a-b', port: 8080 }],
    ['listen:\n  host: ${A}', { A: '{port: 1}' }, { host: '{port: 1}', port: 8080 }],
    ['listen:\n  host: "${A}"', { A: '12' }, { host: '12', port: 8080 }],
    ['listen:\n  host: ${A}', { A: '12' }, { host: '12', port: 8080 }],
    ['listen:\n  port: "${PORT}"', { PORT: '99' }, { host: '127.0.0.1', port: 99 }],
    ["listen: { port: '${PORT:-98}' }", {}, { host: '127.0.0.1', port: 98 }],
    ['listen: { port: "8${A}" }', { A: '0' }, undefined],
    ['listen: { port: "${A}${A}" }', { A: '8' }, undefined],
  ])('%j', (text, env, expected) => {
    const problems = problemsOf(text, env as Record<string, string>);
    if (expected === undefined) expect(problems).not.toEqual([]);
    else expect(parseConfig('x.yaml', text, { schema, env }).listen).toEqual(expected);
  });
});

test('a quoted variable without the expected number is reported with its line and key', () => {
  const text = 'mode: fast\nlisten:\n  port: "${PORT}"\n';
  expect(problemsOf(text, { PORT: 'http' })).toEqual(['x.yaml:3: listen.port: must be integer']);
  expect(problemsOf(text, { PORT: 'true' })).toEqual(['x.yaml:3: listen.port: must be integer']);
  expect(problemsOf(text, { PORT: '70000' })).toEqual(['x.yaml:3: listen.port: must be <= 65535']);
});

test('variables become numbers in lists of entries, too', () => {
  const text = 'regions:\n  - name: "${NAME}"\n    weight: "${WEIGHT}"\n';
  expect(parseConfig('x.yaml', text, { schema, env: { NAME: '1', WEIGHT: '5' } }).regions).toEqual([
    { name: '1', weight: 5 },
  ]);
});

test('a finding of the program’s own check has the line of its key', () => {
  const check = () => [{ path: ['regions', 0, 'name'], reason: 'is taken' }];
  expect(() => parseConfig('x.yaml', 'mode: fast\nregions:\n  - name: a\n', { schema, env: {}, check })).toThrow(
    'x.yaml:3: regions[0].name: is taken',
  );
});
