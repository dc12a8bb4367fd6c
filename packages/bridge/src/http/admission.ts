/** What every request to a bridge passes before anything else looks at it. */
import type { Check } from '@causeway/http/admission.ts';
import { headChecks, transferCoding } from '@causeway/http/head.ts';
import type { RequestHead } from '@causeway/http/message.ts';
import type { HeadLimits, Refusal } from '@causeway/http/refusal.ts';
import { isManagement } from '@causeway/protocol/operations/table.ts';
import { parseUrl } from '@causeway/protocol/paths.ts';
import { type Load, overloaded } from './load.ts';

/** The checks, in order. */
export function bridgeChecks(limits: HeadLimits, load: Load): readonly Check[] {
  return [...headChecks(limits), transferCoding, inFlightRequests(load), heldBytes(load)];
}

/** `limits.maxInFlightRequests`. */
function inFlightRequests(load: Load): Check {
  return (request) => (load.hasRoomForRequest() || isAlwaysAdmitted(request) ? undefined : refusal());
}

/** `limits.maxInFlightBytes`: a GET waits for a response, a POST is measured as its body arrives. */
function heldBytes(load: Load): Check {
  return (request) => {
    const isGet = request.method === 'GET' || request.method === 'HEAD';
    if (!isGet || !load.isFull || isAlwaysAdmitted(request)) return undefined;
    return load.hasRoomFor(0) ? undefined : refusal();
  };
}

/** Probes and operators see the bridge while it is overloaded, and a 404 costs little. */
function isAlwaysAdmitted({ method = 'GET', url = '/' }: RequestHead): boolean {
  const { operation } = parseUrl(method, url);
  return operation === 'unknown' || isManagement(operation);
}

function refusal(): Refusal {
  const { message, retryAfterSeconds } = overloaded();
  return { code: 'overloaded', message, ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }) };
}
