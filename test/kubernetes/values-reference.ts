/** The table of the chart's values, from values.yaml and its comments. */
import { isAlias, isMap, isScalar, type Pair, parseDocument, stringify, type YAMLMap } from 'yaml';

interface Row {
  key: string;
  value: string;
  text: string;
}

/** As Markdown. Every value needs a comment, except those within one that has. */
export function valuesTable(text: string): string {
  const document = parseDocument(text);
  const rows = rowsOf(document.contents as YAMLMap, '');
  const lines = rows.map(({ key, value, text }) => `| \`${key}\` | ${value} | ${text} |`);
  return `| Value | Default | Meaning |\n| --- | --- | --- |\n${lines.join('\n')}\n`;
}

function rowsOf(map: YAMLMap, path: string): Row[] {
  return map.items.flatMap((pair, index) => {
    const name = isScalar(pair.key) ? String(pair.key.value) : String(pair.key);
    if (name === '<<') return [];
    const key = path === '' ? name : `${path}.${name}`;
    const comment = commentOf(pair, index === 0 ? map : undefined);
    if (!isMap(pair.value)) return [{ key, value: isAlias(pair.value) ? '' : code(pair.value), text: comment }];
    if (!isDescribed(pair.value)) return [{ key, value: code(pair.value), text: comment }];
    const heading = comment === '' ? [] : [{ key, value: '', text: comment }];
    return [...heading, ...rowsOf(pair.value, key)];
  });
}

/** Whether its keys have comments, and rows, of their own; or replace those of another section. */
function isDescribed(map: YAMLMap): boolean {
  return map.items.some(
    (pair, index) => commentOf(pair, index === 0 ? map : undefined) !== '' || String(pair.key) === '<<',
  );
}

/** The parser gives the comment before the first key of a map to the map. */
function commentOf({ key }: Pair, mapOfFirst: YAMLMap | undefined): string {
  const comment = (isScalar(key) ? key.commentBefore : undefined) ?? mapOfFirst?.commentBefore ?? '';
  // A comment apart from the key, by an empty line, is about the file.
  const own = comment.split('\n\n').at(-1) ?? '';
  return own.replaceAll(/\n?^ /gm, ' ').trim().replaceAll('|', '\\|');
}

function code(node: unknown): string {
  const text = stringify(node, { collectionStyle: 'flow', lineWidth: 0, flowCollectionPadding: true }).trim();
  return text === 'null' ? '' : `\`${text}\``;
}
