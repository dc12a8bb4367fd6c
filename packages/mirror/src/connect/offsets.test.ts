import type { StartPosition } from '@causeway/protocol/clusters.ts';
import type { ConnectorOffset } from '@causeway/status/clusters/connector-offset.ts';
import { expect, test } from 'vitest';
import { offsetsAhead } from './offsets.ts';

const at = (topic: string, partition: number, offset: number): StartPosition => ({ topic, partition, offset });
const of = (cluster: string, topic: string, partition: number, offset: number | null): ConnectorOffset => ({
  partition: { cluster, topic, partition },
  offset: offset === null ? null : { offset },
});

test.each<[string, StartPosition[], ConnectorOffset[], ConnectorOffset[]]>([
  [
    'a connector without offsets gets all',
    [at('a', 0, 5), at('a', 1, 0)],
    [],
    [of('east', 'a', 0, 5), of('east', 'a', 1, 0)],
  ],
  ['one that was here before moves forward', [at('a', 0, 5)], [of('east', 'a', 0, 3)], [of('east', 'a', 0, 5)]],
  ['one that is there stays', [at('a', 0, 5)], [of('east', 'a', 0, 5)], []],
  ['one that has copied more since never goes back', [at('a', 0, 5)], [of('east', 'a', 0, 9)], []],
  ['each partition for itself', [at('a', 0, 5), at('a', 1, 5)], [of('east', 'a', 1, 9)], [of('east', 'a', 0, 5)]],
  [
    'names are not mixed up',
    [at('a', 1, 5)],
    [of('east', 'a', 0, 9), of('east', '1 a', 0, 9)],
    [of('east', 'a', 1, 5)],
  ],
  ['offsets of another source do not count', [at('a', 0, 5)], [of('west', 'a', 0, 9)], [of('east', 'a', 0, 5)]],
  ['an offset that was reset does not count', [at('a', 0, 5)], [of('east', 'a', 0, null)], [of('east', 'a', 0, 5)]],
  ['nothing to prepare', [], [of('east', 'a', 0, 9)], []],
])('%s', (_, positions, current, ahead) => {
  expect(offsetsAhead('east', positions, current)).toEqual(ahead);
});
