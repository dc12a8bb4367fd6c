/** The id that joins a request's lines in the access logs of all gateways and bridges. */
import { randomUUID } from 'node:crypto';

export const REQUEST_ID_HEADER = 'x-request-id';

const FORM = /^[A-Za-z0-9._:+/=-]{1,128}$/;

/** The client's own id, if it is valid; otherwise a new one. */
export function requestIdOf(header: string | string[] | undefined): string {
  return typeof header === 'string' && FORM.test(header) ? header : randomUUID();
}
