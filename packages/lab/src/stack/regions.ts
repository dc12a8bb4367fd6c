/** The regions of the demo system. */

export const REGION_NAMES = ['east', 'west'] as const;

export type RegionName = (typeof REGION_NAMES)[number];

export function isRegionName(text: string): text is RegionName {
  return (REGION_NAMES as readonly string[]).includes(text);
}
