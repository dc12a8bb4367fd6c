/** The hash by which gateways and bridges place what one bridge owns. The same everywhere, for ever. */

/** FNV-1a, 32 bits (the reference constants). Not for secrets. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}
