/** Judges what came back on a connection that carried a hostile input and markers behind it. Pure. */
import type { HostileCase } from './hostile-case.ts';
import { parseResponses, type ResponseMessage } from './wire.ts';

export interface Exchange {
  readonly hostile: Pick<HostileCase, 'isHead'>;
  /** Everything that came back, and whether the connection closed by itself. */
  readonly received: string;
  /** Texts that only the responses to the markers contain, in their order. */
  readonly markers: readonly string[];
  /** A text that only the response to the hidden request contains. */
  readonly inner: string;
}

export interface Outcome {
  /** Of the response to the hostile input; 0 for a connection that closed without one. */
  readonly status: number;
  /** What follows that response: nothing, the responses to the markers, or one refusal in place of them. */
  readonly next: 'closed' | 'markers' | 'refusal';
}

/** What happened, as long as it is no desync; otherwise the desync, in a sentence. */
export function outcomeOf({ hostile, received, markers, inner }: Exchange): Outcome | string {
  const { responses, fault, rest } = parseResponses(received, hostile);
  const seen = responses.map(({ status }) => status).join(', ');
  if (received.includes(inner)) return `the hidden request was served: ${seen}`;
  if (fault !== undefined) return `a response is not HTTP/1.1: ${fault}`;
  if (rest !== '') return `a response is cut off after ${seen}: ${JSON.stringify(rest.slice(0, 200))}`;
  const [first, ...others] = responses;
  if (first === undefined) return { status: 0, next: 'closed' };
  const { status } = first;
  if (markers.some((marker) => first.body.includes(marker))) return `a marker got the first response: ${seen}`;
  if (others.length === 0) return { status, next: 'closed' };
  const isInOrder =
    others.length === markers.length && markers.every((marker, index) => others[index]?.body.includes(marker));
  if (isInOrder) return { status, next: 'markers' };
  const isRefused = others.length === 1 && isRefusal(others[0] as ResponseMessage);
  return isRefused ? { status, next: 'refusal' } : `responses do not fit the requests: ${seen}`;
}

/** An error of the API that closes its connection. */
function isRefusal({ status, headers, body }: ResponseMessage): boolean {
  const isClosing = headers.some(([name, value]) => name === 'connection' && /\bclose\b/i.test(value));
  return status >= 400 && isClosing && body.startsWith(`{"error_code":${status},`);
}

/** Why an outcome is not acceptable, in a sentence; `undefined` when it is. */
export function faultOf({ expected }: Pick<HostileCase, 'expected'>, outcome: Outcome | string): string | undefined {
  if (typeof outcome === 'string') return outcome;
  const isError = outcome.status >= 400 || outcome.status === 0;
  return expected === 'refused' && !isError ? `served with ${outcome.status}` : undefined;
}

export function describeOutcome(outcome: Outcome | string): string {
  if (typeof outcome === 'string') return outcome;
  const { status, next } = outcome;
  const text = { closed: ', and the connection closes', markers: '', refusal: ', and the next request is refused' }[
    next
  ];
  return `${status}${text}`;
}
