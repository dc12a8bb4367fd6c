/** Estimates how large a regular expression becomes when it is compiled: its repetitions are written out. */

/** The number of a repetition that has no upper bound counts once more, for its loop. */
const REPETITION = /\{(\d+)(?:,(\d*))?\}/y;
const QUOTATION = /\\Q([\s\S]*?)(?:\\E|$)/y;
const ESCAPE = /\\(?:[pPx]\{[^}]*\}|x[0-9A-Fa-f]{2}|[\s\S])/y;
const SET = /\[\^?\]?(?:\[:\^?\w+:\]|\\[\s\S]|[^\\\]])*\]/y;

/** The number of instructions, never below half of the compiled pattern's. Takes time linear to the pattern's length. */
export function patternSize(source: string): number {
  const openSizes: number[] = [];
  /** Of the group that is open. */
  let size = 0;
  /** Of the last atom, which a repetition repeats. */
  let atomSize = 0;
  let index = 0;
  const take = (token: RegExp): RegExpExecArray | null => {
    token.lastIndex = index;
    const found = token.exec(source);
    if (found !== null) index += found[0].length;
    return found;
  };
  while (index < source.length) {
    const char = source.charAt(index);
    if (char === '{') {
      const repetition = take(REPETITION);
      if (repetition !== null) {
        const least = Number(repetition[1]);
        const most = repetition[2] === undefined ? least : repetition[2] === '' ? least + 1 : Number(repetition[2]);
        size += atomSize * (Math.max(most, 1) - 1);
        atomSize *= Math.max(most, 1);
        continue;
      }
    }
    if (char === '(') {
      openSizes.push(size);
      size = 0;
      index += 1;
      continue;
    }
    if (char === ')') {
      // A group has an instruction at either end.
      atomSize = size + 2;
      size = (openSizes.pop() ?? 0) + atomSize;
      index += 1;
      continue;
    }
    const quotation = char === '\\' ? take(QUOTATION) : null;
    if (quotation !== null) size += quotation[1]?.length ?? 0;
    else if (!(char === '\\' && take(ESCAPE)) && !(char === '[' && take(SET))) index += 1;
    atomSize = 1;
    size += 1;
  }
  for (const outer of openSizes) size += outer;
  return size;
}
