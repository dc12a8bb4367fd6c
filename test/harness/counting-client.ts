/** A producer's connections that count what is sent over them; everything else is the real one. */
import { ProduceClient } from '@causeway/bridge/kafka/produce/produce.ts';

export class CountingClient extends ProduceClient {
  /** Of each request, the number of its records. */
  readonly sentCounts: number[] = [];

  override send(...[nodeId, batches]: Parameters<ProduceClient['send']>): ReturnType<ProduceClient['send']> {
    this.sentCounts.push(batches.reduce((sum, { records }) => sum + records.length, 0));
    return super.send(nodeId, batches);
  }
}
