/** The topics of a stack. */
import { topicsOf } from '../tenants/names.ts';
import type { Tenants } from '../tenants/tenants.ts';

/** `orders` carries the lab's traffic, `greetings` is for manual tests. */
const TOPICS = [
  { name: 'orders', partitionCount: 3 },
  { name: 'greetings', partitionCount: 1 },
];

export function stackTopics(tenants: Tenants | undefined): { name: string; partitionCount: number }[] {
  return [...TOPICS, ...(tenants?.all.flatMap(({ name }) => topicsOf(name)) ?? [])];
}
