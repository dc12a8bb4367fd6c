/** The API's media types, and how `Content-Type` and `Accept` select them (RFC 9110 §8.3, §12.5.1). */

/** Bodies without records: consumers, errors, results of produce requests. */
export const KAFKA_V2 = 'application/vnd.kafka.v2+json';

/**
 * The one list of formats, in which JSON embeds keys and values, and the media type of records in each. The OpenAPI document,
 * the options of consumers and the session log follow it; a bridge has one entry for each in `formats/formats.ts`.
 */
export const RECORDS = {
  json: 'application/vnd.kafka.json.v2+json',
  binary: 'application/vnd.kafka.binary.v2+json',
  text: 'application/vnd.kafka.text.v2+json',
} as const satisfies Record<string, string>;

/** How keys and values of records are embedded in JSON. */
export type FormatName = keyof typeof RECORDS;

export const FORMATS = Object.keys(RECORDS) as readonly FormatName[];

export function isFormat(name: string): name is FormatName {
  return Object.hasOwn(RECORDS, name);
}

const FORMATS_BY_TYPE: ReadonlyMap<string, FormatName> = new Map([
  ...FORMATS.map((format) => [RECORDS[format], format] as const),
  ['application/json', 'json'],
]);

/** The media type without its parameters, in lower case. */
export function mediaType(contentType: string): string {
  const end = contentType.indexOf(';');
  return (end === -1 ? contentType : contentType.slice(0, end)).trim().toLowerCase();
}

/** The format of a body with records; plain JSON is `json`. `undefined` for other types. */
export function recordsFormat(contentType: string | undefined): FormatName | undefined {
  return contentType === undefined ? undefined : FORMATS_BY_TYPE.get(mediaType(contentType));
}

/** Whether operations on consumers accept a body of this type: the API's own type, or plain JSON. */
export function isConsumerBody(contentType: string | undefined): boolean {
  if (contentType === undefined) return false;
  const type = mediaType(contentType);
  return type === KAFKA_V2 || type === 'application/json';
}

/** Whether `Accept` admits `type`. An absent or empty header admits every type. */
export function accepts(accept: string | undefined, type: string): boolean {
  if (accept === undefined || accept.trim() === '') return true;
  let best: { specificity: number; quality: number } | undefined;
  for (const range of accept.split(',')) {
    const specificity = specificityOf(mediaType(range), type);
    if (specificity === 0 || (best !== undefined && best.specificity >= specificity)) continue;
    best = { specificity, quality: qualityOf(range) };
  }
  return best !== undefined && best.quality > 0;
}

/** 3 for the type itself, 2 for its main type, 1 for any type, 0 for no match. The most specific range decides. */
function specificityOf(range: string, type: string): 0 | 1 | 2 | 3 {
  if (range === type) return 3;
  if (range === '*/*') return 1;
  return range.endsWith('/*') && type.startsWith(range.slice(0, -1)) ? 2 : 0;
}

/** The weight of an element of `Accept` or `Accept-Encoding`; 1 by default (RFC 9110 §12.4.2). */
export function qualityOf(range: string): number {
  const match = /;\s*q\s*=\s*([0-9.]+)/i.exec(range);
  return match?.[1] === undefined ? 1 : Number(match[1]);
}
