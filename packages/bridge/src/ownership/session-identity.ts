/** Which consumer a session is, for its clients and for its group. */
import { createHash } from 'node:crypto';
import { BridgeError } from '../errors.ts';

export interface SessionIdentity {
  group: string;
  name: string;
}

/** Of a group and of a name, in bytes of UTF-8: both are in every entry of the session log, and in requests to Kafka. */
export const MAX_NAME_BYTES = 1024;

/** Errors: `invalidValue` for a group or name that is too long. */
export function checkIdentity({ group, name }: SessionIdentity): void {
  checkLength('group', group);
  checkLength('consumer', name);
}

function checkLength(what: string, name: string): void {
  const bytes = Buffer.byteLength(name);
  if (bytes <= MAX_NAME_BYTES) return;
  throw new BridgeError('invalidValue', {
    message: `The name of the ${what} has ${bytes} bytes, more than the limit of ${MAX_NAME_BYTES}`,
  });
}

/** Names of instances that can be shown as they are in a `group.instance.id`. */
const PLAIN_NAME = /^[a-zA-Z0-9._-]{1,200}$/;

/** Whether a bridge's session has this instance id. */
export function isInstanceOfSession(instanceId: string): boolean {
  return /^causeway[.-]/.test(instanceId);
}

/** The session's identity in its group: the same on every bridge, so that another one can adopt the consumer. */
export function groupInstanceId({ group, name }: SessionIdentity): string {
  if (PLAIN_NAME.test(name)) return `causeway.${name}`;
  return `causeway-${createHash('sha256').update(`${group}\0${name}`).digest('hex').slice(0, 32)}`;
}
