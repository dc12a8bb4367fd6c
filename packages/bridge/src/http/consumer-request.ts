/** The parts of requests that all operations on consumers read. */
import type { Partitions } from '@causeway/protocol/consumers.ts';
import { isConsumerBody } from '@causeway/protocol/content-types.ts';
import type { ConsumerRegistry } from '../consumers/registry.ts';
import type { Session } from '../consumers/session.ts';
import { accessOf, checkTopics } from '../consumers/topic-access.ts';
import { BridgeError } from '../errors.ts';
import { checkIdentity, type SessionIdentity } from '../ownership/session-identity.ts';
import { isTooLong, MAX_TOPIC_LENGTH } from '../topic-name.ts';
import { decodeBody, isEmptyBody } from './request-body.ts';
import type { Request } from './server.ts';

/** How the peer API shows, and uses, a topic that an entry lacks. */
export const ABSENT_TOPIC = 'null';

/** The consumer that the path names. Errors: `invalidValue` for a name that is too long. */
export function identityOf({ group = '', instance = '' }: Request['url']): SessionIdentity {
  const identity = { group, name: instance };
  checkIdentity(identity);
  return identity;
}

/** The session of the consumer that the path names. Errors: as {@link ConsumerRegistry.find}. */
export function sessionOf(registry: ConsumerRegistry, { url, sender }: Request): Promise<Session> {
  return registry.find(identityOf(url), sender);
}

/** Runs `run` on the session of the request, within the time that gateways wait. Errors: those of `run`; `kafkaUnavailable`. */
export async function inSession<T>(
  registry: ConsumerRegistry,
  request: Request,
  run: (session: Session) => Promise<T>,
): Promise<T> {
  return await registry.inTime(async () => await run(await sessionOf(registry, request)));
}

/** Errors: `bodyMissing`, `bodyTypeUnsupported`, `bodyUndecodable`, `schemaViolation`. */
export async function consumerBody(
  { headers, body, slices }: Request,
  schema: object,
  { isOptional = false } = {},
): Promise<unknown> {
  if (isOptional && isEmptyBody(body)) return undefined;
  if (isEmptyBody(body)) throw new BridgeError('bodyMissing');
  if (!isConsumerBody(headers['content-type'])) throw new BridgeError('bodyTypeUnsupported');
  return await slices.run(decodeBody(body, schema));
}

/** Errors: `tooManyEntries`. */
export function checkCount(entries: readonly unknown[], what: string, limit: number): void {
  if (entries.length <= limit) return;
  throw new BridgeError('tooManyEntries', {
    message: `The request has ${entries.length} ${what}, more than the limit of ${limit}`,
  });
}

/** Topics of entries that may lack them. Errors: `forbidden` for one that the sender may not use. */
export function checkTopicsOf({ sender }: Request, entries: readonly { topic?: string | undefined }[]): void {
  const access = accessOf(sender);
  if (access.topics === undefined) return;
  checkTopics(access, new Set(entries.map(({ topic = ABSENT_TOPIC }) => topic)));
}

/** For names that are sent to Kafka without a check whether the topic exists. Errors: `invalidValue`. */
export function checkTopicLength(topic: string): void {
  if (!isTooLong(topic)) return;
  throw new BridgeError('invalidValue', {
    message: `The name of a topic has ${topic.length} characters, more than the limit of ${MAX_TOPIC_LENGTH}`,
  });
}

/** The entries of a list of partitions. Errors: `invalidValue` when the list or a number is absent, or a name is too long. */
export function partitionsOf({ partitions }: Partitions): { topic: string | undefined; partition: number }[] {
  if (partitions === undefined) {
    throw new BridgeError('invalidValue', { message: 'A list of partitions must be specified.' });
  }
  return partitions.map(({ topic, partition }) => {
    if (topic !== undefined) checkTopicLength(topic);
    if (partition !== undefined) return { topic, partition };
    throw new BridgeError('invalidValue', { message: 'Each entry of partitions must have a partition.' });
  });
}
