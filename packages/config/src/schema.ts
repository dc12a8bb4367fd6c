/** Building blocks of config schemas: TypeBox, with closed objects whose keys have defaults. */
import { type TObject, type TProperties, Type } from 'typebox';
import { HTTP_URL, LISTEN_HOST } from './form.ts';

export { type Static, type TObject, type TSchema, Type } from 'typebox';
export { default as Value } from 'typebox/value';

/** A closed object: unknown keys are errors. When the file leaves it out, its defaults apply. */
export function Section<Properties extends TProperties>(
  properties: Properties,
  options: { description: string },
): TObject<Properties> {
  return Type.Object(properties, { ...options, default: {}, additionalProperties: false });
}

/**
 * A closed object without a default, for the entries of lists and for whole files. `alternatives`: keys of which exactly one group must
 * be given. Editors and the reference know it; the loader's `check` reports it.
 */
export function Entry<Properties extends TProperties>(
  properties: Properties,
  options: { description: string; examples?: unknown[]; alternatives?: string[][] },
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

/** A URL of HTTP(S). `hasPath`: whether it may have a path; default false. Credentials are rejected, because logs would show them. */
export function HttpUrl(options: { description: string; examples: string[] }, { hasPath = false } = {}) {
  return Type.String({ ...options, pattern: hasPath ? '^https?://[^/]' : '^https?://[^/]+/?$', format: HTTP_URL });
}

/** An address or name to listen on. */
export function ListenHost(description: string) {
  return Type.String({ description, default: '127.0.0.1', format: LISTEN_HOST });
}

/** How many connections may wait in the kernel while the program is busy (`listen(2)`). */
export function BacklogSetting() {
  return Type.Integer({
    description:
      'Connections that may wait to be accepted, such as when a region dies and all of its clients connect here; the system has a limit, too (net.core.somaxconn). A change needs a restart.',
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
        description: `Lowest level of the lines that are written.${note}`,
        default: 'info',
      }),
    },
    { description: 'JSON lines on standard output.' },
  );
}
