/** Everything that starts a bridge passes the same options to Node. */
import { readFileSync } from 'node:fs';
import { BRIDGE_NODE_OPTIONS } from '@causeway/bridge/node-options.ts';
import { BRIDGE_NODE_OPTIONS as OF_LAB } from '@causeway/lab/stack/programs.ts';
import { expect, test } from 'vitest';

test('npm, the image and the lab run a bridge with its options', () => {
  const options = BRIDGE_NODE_OPTIONS.join(' ');
  const { scripts } = JSON.parse(text('package.json')) as { scripts: Record<string, string> };
  expect(scripts['bridge']).toBe(`node ${options} packages/bridge/src/main.ts`);
  expect(text('bin/causeway')).toContain(`bridge) program=bridge/src/main.ts options=${options} ;;`);
  expect(OF_LAB).toEqual(BRIDGE_NODE_OPTIONS);
});

function text(path: string): string {
  return readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
}
