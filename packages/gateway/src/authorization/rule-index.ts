/** Finds the rules that apply to a principal among many: by its name, its roles, and for all. */
import type { AccessRule, Subject } from './rules.ts';

export class RuleIndex {
  readonly #rules: readonly AccessRule[];
  readonly #forAll: number[] = [];
  readonly #byName = new Map<string, number[]>();
  readonly #byRole = new Map<string, number[]>();

  constructor(rules: readonly AccessRule[]) {
    this.#rules = rules;
    for (const [index, { principals = [], roles = [] }] of rules.entries()) {
      for (const name of principals) {
        if (name === '*') this.#forAll.push(index);
        else listIn(this.#byName, name).push(index);
      }
      for (const role of roles) listIn(this.#byRole, role).push(index);
    }
  }

  /** `key`: equal for principals to whom the same rules apply. */
  find({ name, roles }: Subject): { key: string; rules: readonly AccessRule[] } {
    const found = new Set([...this.#forAll, ...(this.#byName.get(name) ?? [])]);
    for (const role of roles) for (const index of this.#byRole.get(role) ?? []) found.add(index);
    const indexes = [...found].sort((a, b) => a - b);
    return { key: indexes.join(), rules: indexes.map((index) => this.#rules[index] as AccessRule) };
  }
}

function listIn(map: Map<string, number[]>, key: string): number[] {
  let list = map.get(key);
  if (list === undefined) {
    list = [];
    map.set(key, list);
  }
  return list;
}
