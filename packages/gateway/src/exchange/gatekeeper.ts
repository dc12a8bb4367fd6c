/** The seam between exchanges and the front door: who sends a request, whether the principal may, and how much. */
import type { Admission } from './admission.ts';
import type { ClientRequest } from './client-request.ts';

export interface Gatekeeper {
  /** A promise only where credentials appear for the first time: a request costs none otherwise. Never rejects. */
  admit(request: ClientRequest): Admission | Promise<Admission>;
}
