/** The words in which a config schema is written: TypeBox, with closed objects whose every key has a default. */
import { type TObject, type TProperties, Type } from 'typebox';
import { HTTP_URL, LISTEN_HOST } from './form.ts';

export { type Static, type TObject, Type } from 'typebox';
export { default as Value } from 'typebox/value';

/** A closed object: unknown keys are errors. Left out of the file, it is its defaults. */
export function Section<Properties extends TProperties>(
  properties: Properties,
  options: { description: string },
): TObject<Properties> {
  return Type.Object(properties, { ...options, default: {}, additionalProperties: false });
}

/** A closed object without a default, for the entries of lists and for whole files. */
export function Entry<Properties extends TProperties>(
  properties: Properties,
  options: { description: string; examples?: unknown[] },
): TObject<Properties> {
  return Type.Object(properties, { ...options, additionalProperties: false });
}

/** One of a fixed set of words. */
export function Choice<const Words extends readonly string[]>(
  words: Words,
  options: { description: string; default: Words[number] },
) {
  return Type.Unsafe<Words[number]>({ ...options, anyOf: words.map((word) => Type.Literal(word)) });
}

/** A URL of HTTP(S). `hasPath`: beyond the origin; default false. Credentials in it are refused: they would be shown. */
export function HttpUrl(options: { description: string; examples: string[] }, { hasPath = false } = {}) {
  return Type.String({ ...options, pattern: hasPath ? '^https?://[^/]' : '^https?://[^/]+/?$', format: HTTP_URL });
}

/** An address or name to listen on. */
export function ListenHost(description: string) {
  return Type.String({ description, default: '127.0.0.1', format: LISTEN_HOST });
}

/** How many connections wait in the kernel for a program that is busy (`listen(2)`). */
export function BacklogSetting() {
  return Type.Integer({
    description:
      'Connections that may come at once and wait to be accepted, as when a region dies and all of its clients turn here; the system has a limit, too (net.core.somaxconn). A change needs a restart.',
    default: 4096,
    minimum: 1,
    maximum: 1_048_576,
  });
}

/** JSON lines on standard output, by pino's levels. */
export function LogSection(note: string) {
  return Section(
    {
      level: Choice(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
        description: `Least severe lines that are written.${note}`,
        default: 'info',
      }),
    },
    { description: 'JSON lines on standard output.' },
  );
}
