/** A client that runs for ever: a producer, or the consumers of a group, with its books. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { LabError } from '../errors.ts';
import type { ClientTls } from '../secure/client-tls.ts';
import type { ConsumeOptions, ProduceOptions } from './arguments.ts';
import type { ErrorCounts } from './books.ts';
import { HttpClient } from './client.ts';
import { Consumer } from './consumer.ts';
import { Producer } from './producer.ts';
import { ConsumeBooks, ProduceBooks, type SteadyBooksOptions } from './steady-books.ts';
import { formatConsume, formatProduce } from './steady-line.ts';

/** More than three seconds at the default rate without a response; then the producer waits. */
const MAX_IN_FLIGHT = 64;
/** For the responses that are outstanding at the end: less than the 30 s that a pod has to stop. */
const STOP_TIMEOUT_MS = 10_000;

export interface SteadyClient {
  /** Its counts, in one line. */
  line(): string;
  readonly errors: ErrorCounts;
  /** What makes the run a failure; undefined: nothing. */
  fault(): string | undefined;
  /** Ends the traffic in order. */
  stop(): Promise<void>;
}

/** Errors: `badArguments`, if a file cannot be read. */
export function startSteadyClient(
  options: ProduceOptions | ConsumeOptions,
  booksOptions: SteadyBooksOptions,
): SteadyClient {
  const client = new HttpClient(options.url, { tls: tlsOf(options), token: tokenOf(options) });
  return options.kind === 'produce'
    ? startProducing(client, options, booksOptions)
    : startConsuming(client, options, booksOptions);
}

function startProducing(
  client: HttpClient,
  { topic, recordsPerSecond }: ProduceOptions,
  booksOptions: SteadyBooksOptions,
): SteadyClient {
  const books = new ProduceBooks(booksOptions);
  const runId = randomBytes(4).toString('hex');
  const producer = new Producer({ client, books, topic, runId, recordsPerSecond, maxInFlight: MAX_IN_FLIGHT });
  producer.start();
  return {
    line: () => formatProduce(books.counts()),
    errors: books.errors,
    fault() {
      const { errors } = books.counts();
      if (!books.hasStarted) return 'No record was acknowledged.';
      return errors > 0 ? `${errors} records were not acknowledged.` : undefined;
    },
    async stop() {
      await Promise.race([producer.stop(), delay(STOP_TIMEOUT_MS, undefined, { ref: false })]);
      // What is still in flight fails, and is counted.
      await client.close();
      await producer.stop();
    },
  };
}

function startConsuming(
  client: HttpClient,
  { topic, group, name, consumerCount, isGroupShared }: ConsumeOptions,
  booksOptions: SteadyBooksOptions,
): SteadyClient {
  const books = new ConsumeBooks(booksOptions);
  const consumers = Array.from(
    { length: consumerCount },
    (_, index) => new Consumer({ client, books, topic, group, name: `${name}-${index + 1}`, createsAgain: true }),
  );
  for (const consumer of consumers) consumer.start();
  return {
    line: () => formatConsume(books.counts()),
    errors: books.errors,
    fault() {
      const { missing } = books.counts();
      if (!books.hasStarted) return 'No poll succeeded.';
      return missing > 0 && !isGroupShared ? `${missing} offsets were not delivered.` : undefined;
    },
    async stop() {
      const stopped = Promise.all(consumers.map((consumer) => consumer.stop()));
      await Promise.race([stopped, delay(STOP_TIMEOUT_MS, undefined, { ref: false })]);
      await client.close();
      await stopped;
    },
  };
}

function tlsOf({ url, caFile }: ProduceOptions | ConsumeOptions): ClientTls | undefined {
  if (caFile === undefined) return undefined;
  if (!url.startsWith('https:')) throw new LabError('badArguments', '--ca is for an https URL.');
  return { ca: readFile('--ca', caFile) };
}

function tokenOf({ token, tokenFile }: ProduceOptions | ConsumeOptions): string | (() => string) | undefined {
  if (tokenFile === undefined) return token;
  readFile('--token-file', tokenFile);
  return () => readFileSync(tokenFile, 'utf8').trim();
}

function readFile(option: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new LabError('badArguments', `${option} ${file}: cannot be read.`, { cause });
  }
}
