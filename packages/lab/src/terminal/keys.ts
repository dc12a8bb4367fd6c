/** What the keys do while the lab runs. */
import { REGION_NAMES, type RegionName } from '../stack/regions.ts';

export type KeyAction = { kind: 'stop' } | { kind: 'toggle'; region: RegionName };

/** What Ctrl-C sends in raw mode, where it is no signal. */
const CTRL_C = '\u0003';

/** The actions in what a terminal sent: usually one key, pasted text may be more; other keys do nothing. */
export function keyActions(input: string): KeyAction[] {
  return [...input].flatMap((key): KeyAction[] => {
    if (key === 'q' || key === 'Q' || key === CTRL_C) return [{ kind: 'stop' }];
    const region = REGION_NAMES.find((name) => name.startsWith(key.toLowerCase()));
    return region === undefined ? [] : [{ kind: 'toggle', region }];
  });
}
