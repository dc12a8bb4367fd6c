/** A `topic_pattern`: a regular expression in Java's syntax that matches whole topic names, in time linear to the name. */
import { RE2JS, RE2JSException } from 're2js';
import { BridgeError } from '../errors.ts';
import { patternSize } from './pattern-size.ts';

/** Characters; four times the longest topic name (249). */
const MAX_LENGTH = 1000;
/** Instructions of the compiled pattern: the first long name takes the worst pattern of this size some 20 ms. */
const MAX_SIZE = 1000;

/** Java's names of character classes, as sets of ASCII characters. */
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

/** Java's features that a matcher in linear time cannot have. */
const UNSUPPORTED = 'Lookahead, lookbehind and backreferences are not supported';

export class TopicPattern {
  readonly source: string;
  readonly #pattern: RE2JS;

  /** Errors: `kafkaRefused` with the text of Java's exception; `invalidValue` for a pattern that is too large. */
  constructor(source: string) {
    if (source.trim() === '') {
      throw new BridgeError('kafkaRefused', {
        message: 'java.lang.IllegalArgumentException: Topic pattern to subscribe to cannot be empty',
      });
    }
    this.source = source;
    if (source.length > MAX_LENGTH) {
      const message = `The topic_pattern has ${source.length} characters; at most ${MAX_LENGTH} are allowed.`;
      throw new BridgeError('invalidValue', { message });
    }
    const pattern = asRe2(source);
    // Before it is compiled: compiling takes time in proportion.
    if (patternSize(pattern) > MAX_SIZE) {
      const message = 'The topic_pattern is too large: its repetitions ({n}) multiply what they repeat.';
      throw new BridgeError('invalidValue', { message });
    }
    try {
      this.#pattern = RE2JS.compile(pattern);
    } catch (cause) {
      if (!(cause instanceof RE2JSException)) throw cause;
      const message = `java.util.regex.PatternSyntaxException: ${javaReason(source)}`;
      throw new BridgeError('kafkaRefused', { message, cause });
    }
  }

  /** Whether the whole name matches. */
  matches(name: string): boolean {
    return this.#pattern.testExact(name);
  }
}

/** Translates what RE2 writes differently: names of classes, the anchor `\Z`, possessive quantifiers. */
function asRe2(source: string): string {
  let isInSet = false;
  return source.replace(
    /\\Q[\s\S]*?(?:\\E|$)|\\p\{(\w+)\}|\\Z|\\[\s\S]|([*+?}])\+|[[\]]/g,
    (found, name?: string, quantifier?: string) => {
      const set = name === undefined ? undefined : CLASSES[name];
      if (set !== undefined) return isInSet ? set : `[${set}]`;
      if (found === '\\Z') return '\\z';
      if (quantifier !== undefined) return isInSet ? found : quantifier;
      if (found === '[') isInSet = true;
      if (found === ']') isInSet = false;
      return found;
    },
  );
}

/** Java's description of the error, its place, and the pattern with a mark below it. */
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
    if (char === '\\') {
      if (/^[1-9k]/.test(source.slice(index + 1, index + 2))) return { description: UNSUPPORTED, index };
      index += 1;
    } else if (setStart !== undefined) setStart = char === ']' && index > setStart + 1 ? undefined : setStart;
    else if (char === '[') setStart = index;
    else if (char === '(') {
      if (/^\?<?[=!]/.test(source.slice(index + 1, index + 4))) return { description: UNSUPPORTED, index };
      depth += 1;
    } else if (char === ')') {
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
