/** A `topic_pattern`: Java's regular expressions, as far as JavaScript can say them, matched against whole topic names. */
import { createContext, Script } from 'node:vm';
import { BridgeError } from '../errors.ts';

/** Matching all topics may take this long: patterns of clients must not hold up the bridge. */
const MATCH_TIMEOUT_MS = 200;

/** Java's names of character classes, as JavaScript's sets of ASCII characters. */
const CLASSES: Readonly<Record<string, string>> = {
  Lower: 'a-z',
  Upper: 'A-Z',
  Alpha: 'a-zA-Z',
  Digit: '0-9',
  Alnum: 'a-zA-Z0-9',
  Punct: '!-\\/:-@\\[-`\\{-~',
  XDigit: '0-9a-fA-F',
  ASCII: '\\x00-\\x7f',
};

const MATCHING = new Script('names.filter((name) => pattern.test(name))');

export class TopicPattern {
  readonly source: string;
  readonly #pattern: RegExp;

  /** Errors: `kafkaRefused` with the text of Java's exception. */
  constructor(source: string) {
    if (source.trim() === '') {
      throw new BridgeError('kafkaRefused', {
        message: 'java.lang.IllegalArgumentException: Topic pattern to subscribe to cannot be empty',
      });
    }
    this.source = source;
    try {
      const { flags, rest } = leadingFlags(source);
      // Checked by itself first: two halves must not make a whole.
      new RegExp(asJavaScript(rest), flags);
      this.#pattern = new RegExp(`^(?:${asJavaScript(rest)})$`, flags);
    } catch (cause) {
      const message = `java.util.regex.PatternSyntaxException: ${javaReason(source)}`;
      throw new BridgeError('kafkaRefused', { message, cause });
    }
  }

  /** Those that match as a whole. Errors: `kafkaRefused` when it takes too long. */
  match(names: readonly string[]): string[] {
    const context = createContext({ names, pattern: this.#pattern });
    try {
      return [...(MATCHING.runInContext(context, { timeout: MATCH_TIMEOUT_MS }) as string[])];
    } catch (cause) {
      throw new BridgeError('kafkaRefused', { message: 'The topic_pattern takes too long to match', cause });
    }
  }
}

/** Flags that hold for the whole pattern, as `(?i)`. */
function leadingFlags(source: string): { flags: string; rest: string } {
  const match = /^\(\?([ims]+)\)/.exec(source);
  const flags = [...new Set(match?.[1] ?? '')].join('');
  return { flags, rest: source.slice(match?.[0].length ?? 0) };
}

/** What Java writes otherwise: quotations, names of classes, anchors, possessive quantifiers. */
function asJavaScript(source: string): string {
  let isInSet = false;
  return source.replace(
    /\\Q([\s\S]*?)(?:\\E|$)|\\p\{(\w+)\}|\\([AzZ])|\\[\s\S]|([*+?}])\+|[[\]]/g,
    (found, quoted?: string, name?: string, anchor?: string, quantifier?: string) => {
      if (quoted !== undefined) return quoted.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
      if (name !== undefined) return isInSet ? (CLASSES[name] ?? found) : `[${CLASSES[name] ?? found}]`;
      if (anchor !== undefined) return anchor === 'A' ? '^' : '$';
      if (quantifier !== undefined) return isInSet ? found : quantifier;
      if (found === '[') isInSet = true;
      if (found === ']') isInSet = false;
      return found;
    },
  );
}

/** Java's description of what is wrong, its place, and the pattern with a mark below it. */
function javaReason(source: string): string {
  const { description, index } = firstFault(source);
  const mark = index < source.length ? `\n${' '.repeat(index)}^` : '';
  return `${description} near index ${index}\n${source}${mark}`;
}

function firstFault(source: string): { description: string; index: number } {
  let depth = 0;
  let setStart: number | undefined;
  for (let index = 0; index < source.length; index += 1) {
    const char = source.charAt(index);
    if (char === '\\') index += 1;
    else if (setStart !== undefined) setStart = char === ']' && index > setStart + 1 ? undefined : setStart;
    else if (char === '[') setStart = index;
    else if (char === '(') depth += 1;
    else if (char === ')') {
      if (depth === 0) return { description: "Unmatched closing ')'", index: Math.max(0, index - 1) };
      depth -= 1;
    } else if ('*+?'.includes(char) && (index === 0 || '(|'.includes(source.charAt(index - 1)))) {
      const isGroupOption = char === '?' && source.charAt(index - 1) === '(';
      if (!isGroupOption) return { description: `Dangling meta character '${char}'`, index };
    }
  }
  if (setStart !== undefined) return { description: 'Unclosed character class', index: source.length - 1 };
  if (depth > 0) return { description: 'Unclosed group', index: source.length };
  return { description: 'Illegal pattern', index: source.length };
}
