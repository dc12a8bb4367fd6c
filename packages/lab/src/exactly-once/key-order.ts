/**
 * Decides whether the requests of one key can have been executed one after another. Pure.
 *
 * A key is a register that is written once: by one of its requests, at one moment between that request and its answer. So there must
 * be a moment that fits every answer. Source of the notion: Herlihy and Wing, "Linearizability" (1990).
 */

export interface KeyOperation {
  /** The same text: the same request. */
  request: string;
  invokedAtMs: number;
  /** Infinite without an answer: it may be executed at any time, or never. */
  completedAtMs: number;
  result: KeyResult;
}

export type KeyResult =
  /** What the key has; `isReplayed`: the answer says that the request was executed before. */
  | { kind: 'answer'; text: string; isReplayed: boolean }
  /** 422: the key has another request. */
  | { kind: 'otherRequest' }
  /** 409: another request with the key is under way. */
  | { kind: 'underWay' }
  /** No answer, or one that leaves open whether it was executed. */
  | { kind: 'unknown' };

/** Why no order fits, in words; undefined: one does. `stored`: the request whose records the topic has. */
export function orderFault(operations: readonly KeyOperation[], stored: string | undefined): string | undefined {
  const answers = operations.filter(({ result }) => result.kind === 'answer');
  const [first] = answers;
  if (first !== undefined && answers.some((answer) => !isSameAnswer(answer, first))) return 'its answers differ';
  const firstHand = answers.filter(({ result }) => result.kind === 'answer' && !result.isReplayed);
  if (firstHand.length > 1) return 'it was executed twice: two answers are not marked as repeated';
  const groundless = operations.find((operation) => isGroundless(operation, operations, first?.request ?? stored));
  if (groundless !== undefined) return `${describe(groundless)}, and no other request explains it`;

  const request = first?.request ?? stored;
  if (request === undefined) return undefined;
  const writers = firstHand.length === 1 ? firstHand : operations.filter((operation) => mayWrite(operation, request));
  const faults = writers.map((writer) => windowFault(writer, operations));
  if (faults.length === 0) return 'its records stand, and every request for them was refused';
  return faults.includes(undefined) ? undefined : faults[0];
}

function isSameAnswer(one: KeyOperation, other: KeyOperation): boolean {
  if (one.result.kind !== 'answer' || other.result.kind !== 'answer') return false;
  return one.request === other.request && one.result.text === other.result.text;
}

function mayWrite({ request, result }: KeyOperation, written: string): boolean {
  return request === written && (result.kind === 'answer' || result.kind === 'unknown');
}

/** Whether it is a refusal that no other request of the key can have caused, neither under way nor (422) stored. */
function isGroundless(
  operation: KeyOperation,
  operations: readonly KeyOperation[],
  written: string | undefined,
): boolean {
  const { result, request } = operation;
  if (result.kind === 'underWay') return !meetsAnother(operation, operations);
  if (result.kind !== 'otherRequest') return false;
  const mayBeStored = written !== undefined && written !== request;
  return !mayBeStored && !meetsAnother(operation, operations);
}

/** Whether another request of the key, for a 422 with other content, was under way meanwhile. */
function meetsAnother(operation: KeyOperation, operations: readonly KeyOperation[]): boolean {
  return operations.some((other) => {
    if (other === operation || !mayWrite(other, other.request)) return false;
    if (operation.result.kind === 'otherRequest' && other.request === operation.request) return false;
    const endsAtMs = other.result.kind === 'unknown' ? Number.POSITIVE_INFINITY : other.completedAtMs;
    return other.invokedAtMs <= operation.completedAtMs && endsAtMs >= operation.invokedAtMs;
  });
}

/** Why `writer` cannot be the request that was executed: the moment must be after some times and before others. */
function windowFault(writer: KeyOperation, operations: readonly KeyOperation[]): string | undefined {
  let latestStart = writer;
  let earliestEnd = writer;
  for (const operation of operations) {
    if (operation === writer) continue;
    if (isBefore(operation, writer)) {
      if (operation.invokedAtMs > latestStart.invokedAtMs) latestStart = operation;
    } else if (isAfter(operation, writer, operations) && operation.completedAtMs < endOf(earliestEnd)) {
      earliestEnd = operation;
    }
  }
  if (latestStart.invokedAtMs <= endOf(earliestEnd)) return undefined;
  if (latestStart === writer) return `${describe(earliestEnd)} before the request that was executed`;
  return `${describe(latestStart)} after the key had its answer`;
}

/** A refusal that the stored answer would have taken the place of. */
function isBefore({ result, request }: KeyOperation, writer: KeyOperation): boolean {
  return result.kind === 'underWay' || (result.kind === 'otherRequest' && request === writer.request);
}

/** A response that only the stored answer explains. */
function isAfter(operation: KeyOperation, writer: KeyOperation, operations: readonly KeyOperation[]): boolean {
  const { result, request } = operation;
  if (result.kind === 'answer') return true;
  return result.kind === 'otherRequest' && request !== writer.request && !meetsAnother(operation, operations);
}

function endOf({ result, completedAtMs }: KeyOperation): number {
  return result.kind === 'unknown' ? Number.POSITIVE_INFINITY : completedAtMs;
}

function describe({ result }: KeyOperation): string {
  switch (result.kind) {
    case 'answer':
      return 'it was answered';
    case 'otherRequest':
      return 'it was refused with 422';
    case 'underWay':
      return 'it was refused with 409';
    case 'unknown':
      return 'it was not answered';
  }
}
