import { describe, expect, test } from 'vitest';
import { published, served } from './endpoints.ts';
import type { Container, Service } from './objects.ts';

const container: Container = { name: 'bridge', args: [], ports: [] };

/** `ready`, `unready`, `terminating` (and ready still), `gone`. */
function pods(...states: ('ready' | 'unready' | 'terminating' | 'gone')[]) {
  return states.map((state) => ({
    name: state,
    address: state,
    container,
    template: { metadata: { labels: { app: 'a' } }, spec: { containers: [container] } },
    isReady: state === 'ready' || state === 'terminating',
    isTerminating: state === 'terminating' || state === 'gone',
    isGone: state === 'gone',
  }));
}

function service(spec: Partial<Service['spec']> = {}): Service {
  return { kind: 'Service', metadata: { name: 'a' }, spec: { selector: { app: 'a' }, ports: [], ...spec } };
}

const namesOf = (endpoints: { name: string }[]): string[] => endpoints.map(({ name }) => name);

describe('endpoints of a Service', () => {
  const all = pods('ready', 'unready', 'terminating', 'gone');

  test('are ready pods that stay', () => {
    expect(namesOf(published(service(), all))).toEqual(['ready']);
    expect(namesOf(served(service(), all))).toEqual(['ready']);
  });

  test('with publishNotReadyAddresses are all pods, in DNS, until they are gone', () => {
    const found = published(service({ publishNotReadyAddresses: true }), all);
    expect(namesOf(found)).toEqual(['ready', 'unready', 'terminating']);
  });

  test('are terminating pods that still serve, for connections, when there are no others', () => {
    expect(namesOf(served(service(), pods('unready', 'terminating')))).toEqual(['terminating']);
    expect(namesOf(published(service(), pods('unready', 'terminating')))).toEqual([]);
  });

  test('are those that the selector matches', () => {
    expect(published(service({ selector: { app: 'b' } }), all)).toEqual([]);
  });
});
