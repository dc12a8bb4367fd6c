/** The id by which the access logs of all that a request passes can be put together. */
import { randomUUID } from 'node:crypto';

export const REQUEST_ID_HEADER = 'x-request-id';

const FORM = /^[A-Za-z0-9._:+/=-]{1,128}$/;

/** The client's own id, if it has the form of one; otherwise a new one. */
export function requestIdOf(header: string | string[] | undefined): string {
  return typeof header === 'string' && FORM.test(header) ? header : randomUUID();
}
