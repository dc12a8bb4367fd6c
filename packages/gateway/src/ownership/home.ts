/** Where a gateway believes the owner to be: of a consumer, or of a slot of idempotency keys. */
import type { Target } from '../regions/target.ts';

export interface Home {
  readonly target: Target;
  /** The bridge that owns it, as `region/bridge`; `undefined`: unknown. */
  readonly owner: string | undefined;
}

/** Remembers homes. */
export interface Homes<Key> {
  homeOf(key: Key): Home | undefined;
  remember(key: Key, home: Home): void;
}

export function isSameHome(one: Home | undefined, other: Home): boolean {
  return one !== undefined && one.target === other.target && one.owner === other.owner;
}
