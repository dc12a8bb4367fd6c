/** Which consumer a session is, for its clients and for its group. */
import { createHash } from 'node:crypto';

export interface SessionIdentity {
  group: string;
  name: string;
}

/** Names of instances that can be shown as they are in a `group.instance.id`. */
const PLAIN_NAME = /^[a-zA-Z0-9._-]{1,200}$/;

/** The session's identity in its group: the same on every bridge, so that another one can take the consumer over. */
export function groupInstanceId({ group, name }: SessionIdentity): string {
  if (PLAIN_NAME.test(name)) return `causeway.${name}`;
  return `causeway-${createHash('sha256').update(`${group}\0${name}`).digest('hex').slice(0, 32)}`;
}
