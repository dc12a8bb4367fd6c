/** The keys of a running lab. */
import { REGION_NAMES, type RegionName } from '../stack/regions.ts';

export type KeyAction = { kind: 'stop' } | { kind: 'promote' } | { kind: 'toggle'; region: RegionName };

/** The byte that Ctrl-C sends in raw mode, where it is not a signal. */
const CTRL_C = '\u0003';

/** The actions for the input of a terminal: usually one key, more for pasted text; other keys do nothing. */
export function keyActions(input: string): KeyAction[] {
  return [...input].flatMap((key): KeyAction[] => {
    if (key === 'q' || key === 'Q' || key === CTRL_C) return [{ kind: 'stop' }];
    if (key === 'p' || key === 'P') return [{ kind: 'promote' }];
    const region = REGION_NAMES.find((name) => name.startsWith(key.toLowerCase()));
    return region === undefined ? [] : [{ kind: 'toggle', region }];
  });
}
