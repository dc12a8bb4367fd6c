/** The options and words of a command line. Node's own checks are off, because our sentences are better. */
import { parseArgs } from 'node:util';
import { LabError } from '../errors.ts';

type Options<Name extends string> = Readonly<Record<Name, { type: 'string' | 'boolean'; multiple?: boolean }>>;

export interface Given<Name extends string> {
  /** The words that are no options, at most `wordCount`. */
  words: string[];
  /** The values of each given option, in order; the empty text for an option without a value. */
  options: Map<Name, string[]>;
}

export function bad(sentence: string): LabError {
  return new LabError('badArguments', sentence);
}

/** Errors: `badArguments`, in one sentence, for the first argument that does not fit. */
export function readGiven<Name extends string>(
  argv: readonly string[],
  options: Options<Name>,
  wordCount: number,
): Given<Name> {
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, allowPositionals: true, tokens: true });
  const given: Given<Name> = { words: [], options: new Map() };
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue;
    if (token.kind === 'positional') {
      if (given.words.length === wordCount) throw bad(`"${token.value}" is not an option; --help lists them.`);
      given.words.push(token.value);
      continue;
    }
    if (!isName(token.name, options)) throw bad(`${token.rawName} is not an option; --help lists them.`);
    const takesValue = options[token.name].type === 'string';
    if (takesValue && token.value === undefined) throw bad(`${token.rawName} needs a value; --help says which.`);
    if (!takesValue && token.value !== undefined) throw bad(`${token.rawName} takes no value.`);
    given.options.set(token.name, [...(given.options.get(token.name) ?? []), token.value ?? '']);
  }
  return given;
}

function isName<Name extends string>(name: string, options: Options<Name>): name is Name {
  return Object.hasOwn(options, name);
}
