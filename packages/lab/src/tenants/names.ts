/** The names of a lab's tenants, and of their topics and groups. */

/** The client that is refused. */
export const GUEST = 'guest';

/** The topic of the tenant's traffic. */
export function ordersOf(tenant: string): string {
  return `${tenant}.orders`;
}

/** The beginning of the names of the tenant's topics and groups. */
export function prefixOf(tenant: string): string {
  return `${tenant}.`;
}

export function tenantNames(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `tenant-${index + 1}`);
}

/** `greetings` is for manual tests. */
export function topicsOf(tenant: string): { name: string; partitionCount: number }[] {
  return [
    { name: ordersOf(tenant), partitionCount: 3 },
    { name: `${prefixOf(tenant)}greetings`, partitionCount: 1 },
  ];
}
