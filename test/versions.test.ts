/** One version for everything that is released, and every program prints it. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

interface Manifest {
  version: string;
  dependencies?: Record<string, string>;
}

const { version } = JSON.parse(text('package.json')) as Manifest;

function text(path: string): string {
  return readFileSync(`${ROOT}${path}`, 'utf8');
}

test.each(readdirSync(`${ROOT}packages`))(
  '%s has the version of the whole, and so have its dependencies on others',
  (name) => {
    const manifest = JSON.parse(text(`packages/${name}/package.json`)) as Manifest;
    const { packages } = JSON.parse(text('package-lock.json')) as { packages: Record<string, Manifest> };
    for (const { version: own, dependencies = {} } of [manifest, packages[`packages/${name}`] ?? { version: '' }]) {
      expect(own).toBe(version);
      const others = Object.entries(dependencies).filter(([dependency]) => dependency.startsWith('@causeway/'));
      expect(others.filter(([, other]) => other !== version)).toEqual([]);
    }
  },
);

test('the changelog has a section for each version, the newest first, and begins with what is not released', () => {
  const headings = [...text('CHANGELOG.md').matchAll(/^## (.*)$/gm)].map(([, heading = '']) => heading);
  expect(headings[0]).toBe('[Unreleased]');
  const versions = headings
    .slice(1)
    .map((heading) => /^\[(\d+\.\d+\.\d+(?:-rc\.\d+)?)\] - \d{4}-\d{2}-\d{2}$/.exec(heading)?.[1]);
  expect(versions[0]).toBe(version);
  expect(versions).toEqual([...versions].sort((a = '', b = '') => b.localeCompare(a, 'en', { numeric: true })));
});

test('the chart, the demonstration and the documents name this version', () => {
  const named = ['deploy', 'docs'].flatMap((directory) =>
    readdirSync(`${ROOT}${directory}`, { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(?:md|ya?ml)$/.test(name))
      .flatMap((name) =>
        [
          ...text(`${directory}/${name}`).matchAll(
            /(?:\bcauseway[:-]|\bimage\.tag=|\b(?:newTag|appVersion): "?)(\d+\.\d+\.\d+(?:-rc\.\d+)?)/g,
          ),
        ].map(([, found]) => `${directory}/${name}: ${found}`),
      ),
  );
  expect(named).toEqual(expect.arrayContaining([`deploy/helm/causeway/Chart.yaml: ${version}`]));
  expect(named.filter((line) => !line.endsWith(`: ${version}`))).toEqual([]);
});

test.each(['gateway', 'bridge', 'status', 'lab'])('%s --version', (name) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [`${ROOT}packages/${name}/src/main.ts`, '--version'], {
    encoding: 'utf8',
  });
  expect({ status, stdout, stderr }).toEqual({
    status: 0,
    stdout: `causeway ${version} (a checkout, Node.js ${process.versions.node})\n`,
    stderr: '',
  });
});
