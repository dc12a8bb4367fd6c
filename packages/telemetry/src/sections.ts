/** The sections `accessLog` and `tracing` of gateways and bridges: absent, and therefore off, by default. */
import { Entry, HttpUrl, type Static, Type } from '@causeway/config/schema.ts';

export const AccessLogSection = Entry(
  {
    file: Type.Optional(
      Type.String({
        description:
          'File to which lines are appended; created if it is missing, reopened on SIGHUP (for logrotate). Left out: standard output.',
        minLength: 1,
        examples: ['/var/log/causeway/access.log'],
      }),
    ),
    sampleRatio: Type.Number({
      description:
        'Share of the requests that get a line. Requests that failed (5xx, broken off) or took more than one attempt always get one.',
      default: 1,
      minimum: 0,
      maximum: 1,
    }),
    maxQueuedBytes: Type.Integer({
      description: 'Bytes of lines that may wait for a slow disk; further lines are dropped and counted.',
      default: 4_194_304,
      minimum: 65_536,
      maximum: 1_073_741_824,
    }),
  },
  {
    description:
      'A line of JSON for each request (not for probes and metrics). Off without this section. A change needs a restart.',
  },
);
export type AccessLogConfig = Static<typeof AccessLogSection>;

/** `serviceName`: the default. */
export const TracingSection = (serviceName: string) =>
  Entry(
    {
      endpoint: HttpUrl(
        {
          description: 'Where spans are sent: OTLP over HTTP in protobuf. Without a path it is /v1/traces.',
          examples: ['http://127.0.0.1:4318'],
        },
        { hasPath: true },
      ),
      headers: Type.Record(Type.String({ pattern: '^[A-Za-z0-9-]+$' }), Type.String(), {
        description:
          'Headers of those requests, such as {authorization: "Bearer ${OTLP_TOKEN}"}. Their values are in no log.',
        default: {},
        writeOnly: true,
      }),
      sampleRatio: Type.Number({
        description: "Share of the requests that are traced, where the client's traceparent does not say it.",
        default: 1,
        minimum: 0,
        maximum: 1,
      }),
      serviceName: Type.String({ description: 'service.name of the spans.', default: serviceName, minLength: 1 }),
      maxQueuedSpans: Type.Integer({
        description: 'Spans that may wait to be sent; further spans are dropped and counted.',
        default: 4_096,
        minimum: 512,
        maximum: 1_000_000,
      }),
    },
    {
      description:
        'Traces (OpenTelemetry). Off without this section: traceparent and tracestate are then forwarded unchanged. A change needs a restart.',
    },
  );
export type TracingConfig = Static<ReturnType<typeof TracingSection>>;
