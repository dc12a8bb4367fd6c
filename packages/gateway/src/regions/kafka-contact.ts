/** What a target last reported about its Kafka. */
export interface KafkaContact {
  /** Cluster id; `undefined` if not reported. */
  readonly cluster: string | undefined;
  /** Recent times at which Kafka responded there, the latest last, in milliseconds of the monotonic clock. */
  readonly answersMs: readonly number[];
}
