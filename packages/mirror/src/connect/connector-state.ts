/** What a connector of Kafka Connect does, from its status. */

/** The body of `GET /connectors/{name}/status`, as far as it is used. */
export interface ConnectorStatus {
  connector: { state: string; trace?: string };
  tasks: readonly { id: number; state: string; trace?: string }[];
}

export type ConnectorState =
  | { kind: 'running'; taskCount: number }
  | { kind: 'paused' }
  | { kind: 'stopped' }
  /** `reason`: the first line of Java's stack trace. */
  | { kind: 'failed'; reason: string }
  /** It starts, stops, or moves to another worker. */
  | { kind: 'changing' };

/** `undefined`: Connect has no status of a connector that was created stopped and has never run. */
export function connectorState(status: ConnectorStatus | undefined): ConnectorState {
  if (status === undefined) return { kind: 'stopped' };
  const { connector, tasks } = status;
  const failed = [connector, ...tasks].find(({ state }) => state === 'FAILED');
  if (failed !== undefined) return { kind: 'failed', reason: firstLine(failed.trace) };
  if (connector.state === 'STOPPED' && tasks.length === 0) return { kind: 'stopped' };
  if (connector.state === 'PAUSED') return { kind: 'paused' };
  const isRunning = connector.state === 'RUNNING' && tasks.every(({ state }) => state === 'RUNNING');
  return isRunning ? { kind: 'running', taskCount: tasks.length } : { kind: 'changing' };
}

function firstLine(trace: string | undefined): string {
  return trace?.split('\n', 1)[0]?.trim() || 'Kafka Connect does not say why';
}

/**
 * Whether a connector copies nothing any more. `isAccepted`: Connect has accepted to stop it. From then on only its tasks count, which copy: a
 * connector whose source is dead says for a minute that it runs, without any.
 */
export function isStopped(status: ConnectorStatus | undefined, isAccepted: boolean): boolean {
  return connectorState(status).kind === 'stopped' || (isAccepted && status?.tasks.length === 0);
}
