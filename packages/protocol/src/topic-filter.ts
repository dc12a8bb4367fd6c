/** Which topics a principal may use, as gateways send it to bridges ({@link TOPICS_HEADER}). Pure. */

/** Names, or beginnings of names. */
export interface TopicSet {
  readonly names: ReadonlySet<string>;
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

/** Sorted and without repetition, so that equal filters have equal texts. */
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

const NOTHING: TopicFilter = { allowed: topicSet([]), denied: topicSet([]) };

function topicSet(patterns: readonly string[]): TopicSet {
  const names = patterns.filter((pattern) => !pattern.endsWith('*'));
  const prefixes = patterns.filter((pattern) => pattern.endsWith('*')).map((pattern) => pattern.slice(0, -1));
  return { names: new Set(names), prefixes };
}

function isIn({ names, prefixes }: TopicSet, topic: string): boolean {
  return names.has(topic) || prefixes.some((prefix) => topic.startsWith(prefix));
}

function formatList(patterns: readonly string[]): string {
  return [...new Set(patterns)].sort().map(encodeURIComponent).join(',');
}

function parseList(text: string): TopicSet | undefined {
  try {
    return topicSet(text.split(',').flatMap((item) => (item === '' ? [] : [decodeURIComponent(item)])));
  } catch {
    return undefined;
  }
}
