/** Which names topics can have; Kafka's `Topic.validate`. */

export const MAX_TOPIC_LENGTH = 249;
const LEGAL_TOPIC = /^[a-zA-Z0-9._-]+$/;

export function isLegalTopic(name: string): boolean {
  return !isTooLong(name) && LEGAL_TOPIC.test(name) && name !== '.' && name !== '..';
}

/** Such a name is never sent: brokers close a connection, which others use, too, on a name that its length cannot tell. */
export function isTooLong(name: string): boolean {
  return name.length > MAX_TOPIC_LENGTH;
}
