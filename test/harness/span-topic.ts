/** Spans that an OTLP receiver wrote to a topic, in a comparable form. */
import { independentClient } from '@causeway/lab/stack/kafka-client.ts';
import type { Consumer } from 'kafkajs';
import { unique } from './kafka-view.ts';

export interface ReceivedSpan {
  service: string;
  instance: string;
  name: string;
  kind: 'internal' | 'server' | 'client' | 'producer' | 'consumer';
  traceId: string;
  id: string;
  parentId: string;
  state: string;
  isError: boolean;
  /** As text, for every type. */
  attributes: Record<string, string>;
  links: { traceId: string; spanId: string }[];
}

/** The parts of OTLP's JSON that tests read: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding */
interface OtlpAttribute {
  key: string;
  value: Record<string, unknown>;
}

interface OtlpSpan {
  traceId: string;
  spanId: string;
  parentSpanId: string;
  traceState: string;
  name: string;
  kind: number;
  attributes: OtlpAttribute[];
  links: { traceId: string; spanId: string }[];
  status: { code: number };
}

interface OtlpResourceSpans {
  resource: { attributes: OtlpAttribute[] };
  scopeSpans: { spans: OtlpSpan[] }[];
}

const KINDS = ['internal', 'internal', 'server', 'client', 'producer', 'consumer'] as const;
const STATUS_ERROR = 2;

function parse(text: string): ReceivedSpan[] {
  return (JSON.parse(text) as OtlpResourceSpans[]).flatMap(({ resource, scopeSpans }) => {
    const of = attributesOf(resource.attributes);
    const [service = '', instance = ''] = [of['service.name'], of['service.instance.id']];
    return scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => ({
        service,
        instance,
        name: span.name,
        kind: KINDS[span.kind] ?? 'internal',
        traceId: span.traceId,
        id: span.spanId,
        parentId: span.parentSpanId,
        state: span.traceState,
        isError: span.status.code === STATUS_ERROR,
        attributes: attributesOf(span.attributes),
        links: span.links.map(({ traceId, spanId }) => ({ traceId, spanId })),
      })),
    );
  });
}

function attributesOf(attributes: readonly OtlpAttribute[]): Record<string, string> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, String(Object.values(value)[0])]));
}

export class SpanTopic {
  readonly #consumer: Consumer;
  readonly all: ReceivedSpan[] = [];

  private constructor(consumer: Consumer) {
    this.#consumer = consumer;
  }

  static async open(bootstrap: string, topic: string): Promise<SpanTopic> {
    const consumer = independentClient(bootstrap).consumer({ groupId: unique('spans'), maxWaitTimeInMs: 50 });
    const spans = new SpanTopic(consumer);
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ message }) => {
        spans.all.push(...parse(String(message.value)));
      },
    });
    return spans;
  }

  of(traceId: string): ReceivedSpan[] {
    return this.all.filter((span) => span.traceId === traceId);
  }

  close(): Promise<void> {
    return this.#consumer.disconnect();
  }
}
