/** Ends the `default` of a switch over a union: a case that is missing does not compile. Errors: `TypeError`. */
export function assertNever(value: never): never {
  throw new TypeError(`unexpected ${JSON.stringify(value)}`);
}
