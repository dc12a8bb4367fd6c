/** Which topics a principal may use, as gateways send it to bridges ({@link TOPICS_HEADER}). Pure. */

/** Names, or beginnings of names. */
export interface TopicSet {
  readonly names: ReadonlySet<string>;
  /** Sorted; none begins with another one. */
  readonly prefixes: readonly string[];
}

/** A denial outweighs what allows the same name. */
export interface TopicFilter {
  readonly allowed: TopicSet;
  readonly denied: TopicSet;
}

/** Patterns of a topic: a name, a beginning with `*` at its end, or `*` for all topics. */
export interface TopicPatterns {
  readonly allow: readonly string[];
  readonly deny: readonly string[];
}

/** The longest text of a filter: what servers accept beside a client's own headers has room for it. */
export const MAX_TOPIC_FILTER_BYTES = 8_192;

/** Sorted, and without patterns that others of the list include, so that filters with equal lists have equal texts. */
export function formatTopicFilter({ allow, deny }: TopicPatterns): string {
  return `allow=${formatList(allow)};deny=${formatList(deny)}`;
}

/** Returns a filter that permits nothing for a text that no gateway sends. */
export function parseTopicFilter(text: string): TopicFilter {
  const [, allow, deny] = /^allow=([^;]*);deny=([^;]*)$/.exec(text) ?? [];
  if (allow === undefined || deny === undefined) return NOTHING;
  const [allowed, denied] = [parseList(allow), parseList(deny)];
  return allowed === undefined || denied === undefined ? NOTHING : { allowed, denied };
}

export function topicFilterOf({ allow, deny }: TopicPatterns): TopicFilter {
  return { allowed: topicSet(allow), denied: topicSet(deny) };
}

export function permits({ allowed, denied }: TopicFilter, topic: string): boolean {
  return isIn(allowed, topic) && !isIn(denied, topic);
}

/** Whether the filter permits every name. */
export function permitsAll({ allowed, denied }: TopicFilter): boolean {
  return allowed.prefixes[0] === '' && denied.names.size === 0 && denied.prefixes.length === 0;
}

const NOTHING: TopicFilter = { allowed: topicSet([]), denied: topicSet([]) };

function topicSet(patterns: readonly string[]): TopicSet {
  const beginnings = patterns.filter((pattern) => pattern.endsWith('*')).map((pattern) => pattern.slice(0, -1));
  const prefixes: string[] = [];
  for (const prefix of [...new Set(beginnings)].sort()) if (!beginsWithOne(prefixes, prefix)) prefixes.push(prefix);
  const names = patterns.filter((pattern) => !pattern.endsWith('*') && !beginsWithOne(prefixes, pattern));
  return { names: new Set(names), prefixes };
}

function isIn({ names, prefixes }: TopicSet, topic: string): boolean {
  return names.has(topic) || beginsWithOne(prefixes, topic);
}

/** Of sorted prefixes, none of which begins with another one, only the last one that does not come after the name can be its beginning. */
function beginsWithOne(prefixes: readonly string[], name: string): boolean {
  let low = 0;
  let high = prefixes.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((prefixes[middle] as string) <= name) low = middle + 1;
    else high = middle;
  }
  return low > 0 && name.startsWith(prefixes[low - 1] as string);
}

function formatList(patterns: readonly string[]): string {
  const { names, prefixes } = topicSet(patterns);
  return [...names, ...prefixes.map((prefix) => `${prefix}*`)].sort().map(encodeURIComponent).join(',');
}

function parseList(text: string): TopicSet | undefined {
  try {
    return topicSet(text.split(',').flatMap((item) => (item === '' ? [] : [decodeURIComponent(item)])));
  } catch {
    return undefined;
  }
}
