/** The head of a table: a row with the names of its columns. */
import { type ComponentChild, h } from 'preact';

export function tableHead(names: readonly string[]): ComponentChild {
  const cells = names.map((name) => h('th', { key: name, scope: 'col' }, name));
  return h('thead', null, h('tr', null, cells));
}
