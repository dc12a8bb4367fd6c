/** How a request ended for its client: one set of words for the metrics, logs and traces of both programs. */

export const REQUEST_OUTCOMES = ['2xx', '3xx', '4xx', '5xx', 'clientGone'] as const;
/** `clientGone`: the connection ended before the response was complete. */
export type RequestOutcome = (typeof REQUEST_OUTCOMES)[number];

/** The class of a status (RFC 9110 §15). */
export function outcomeOfStatus(status: number): RequestOutcome {
  if (status < 300) return '2xx';
  if (status < 400) return '3xx';
  return status < 500 ? '4xx' : '5xx';
}
