/** The lab's error class: a code, a sentence for the terminal, and the cause. */

export type LabErrorCode =
  | 'badArguments'
  | 'noKafkaRuntime'
  | 'downloadFailed'
  | 'kafkaUnreachable'
  | 'startFailed'
  | 'startTimedOut'
  | 'portInUse'
  | 'alreadyRunning'
  | 'refused'
  | 'stopped';

export class LabError extends Error {
  readonly code: LabErrorCode;

  constructor(code: LabErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'LabError';
    this.code = code;
  }
}
