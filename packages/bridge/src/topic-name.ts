/** Legal names of topics, as in Kafka's `Topic.validate`. */

export const MAX_TOPIC_LENGTH = 249;
const LEGAL_TOPIC = /^[a-zA-Z0-9._-]+$/;

export function isLegalTopic(name: string): boolean {
  return !isTooLong(name) && LEGAL_TOPIC.test(name) && name !== '.' && name !== '..';
}

/** Such a name is never sent: a broker closes the shared connection on a name whose length does not fit its field. */
export function isTooLong(name: string): boolean {
  return name.length > MAX_TOPIC_LENGTH;
}
