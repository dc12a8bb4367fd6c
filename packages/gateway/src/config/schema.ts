/** The gateway's configuration: every key with its meaning, unit, default and bounds, declared once. */

import { CorsSection } from '@causeway/config/cors.ts';
import {
  BacklogSetting,
  Choice,
  Entry,
  HttpUrl,
  ListenHost,
  LogSection,
  Section,
  type Static,
  Type,
} from '@causeway/config/schema.ts';
import { TrustSection } from '@causeway/config/trust.ts';
import { AccessLogSection, TracingSection } from '@causeway/telemetry/sections.ts';

/** Of `admin.port`. */
export const DEFAULT_ADMIN_PORT = 8081;

const TargetConfig = Entry(
  {
    url: HttpUrl({
      description: 'Where the bridge or the regional gateway listens. A path prefix is not supported.',
      examples: ['http://127.0.0.1:8282'],
    }),
    healthUrl: Type.Optional(
      HttpUrl({
        description: 'Where it is probed, if not at its url: the management port of a bridge that has one.',
        examples: ['http://127.0.0.1:8081'],
      }),
    ),
    adminUrl: Type.Optional(
      HttpUrl({
        description: "A regional gateway's admin address; /api/regions/NAME/… is relayed to it.",
        examples: ['http://127.0.0.1:8181'],
      }),
    ),
  },
  { description: 'A bridge, or a regional gateway.' },
);

const RegionConfig = Entry(
  {
    name: Type.String({
      description: 'Unique; letters, digits, dot, dash and underscore.',
      examples: ['east'],
      pattern: '^[A-Za-z0-9._-]+$',
    }),
    weight: Type.Integer({
      description:
        'Share of new work among the regions of the same priority. 0: no new work, and the consumers that live there move away at their next poll.',
      default: 100,
      minimum: 0,
      maximum: 1_000_000,
    }),
    priority: Type.Integer({
      description: 'Only the regions with the lowest number that are available get work.',
      default: 0,
      minimum: 0,
      maximum: 1_000,
    }),
    targets: Type.Array(TargetConfig, {
      description: 'What serves the region: bridges, or regional gateways.',
      minItems: 1,
    }),
  },
  { description: 'A region.' },
);

export const GatewayConfig = Entry(
  {
    gateway: Section(
      {
        name: Type.String({
          description: 'This gateway in headers, logs and metrics; unique among the gateways that a request passes.',
          default: 'gateway',
          pattern: '^[A-Za-z0-9._-]+$',
        }),
        region: Type.Optional(
          Type.String({
            description:
              'The region in which this gateway stands. Left out for a tier-1 gateway, which stands above the regions.',
            examples: ['east'],
            pattern: '^[A-Za-z0-9._-]+$',
          }),
        ),
      },
      { description: 'Who this gateway is.' },
    ),
    listen: Section(
      {
        host: ListenHost('Address for clients. A change needs a restart.'),
        port: Type.Integer({
          description: 'Port for clients; 0 lets the system choose. A change needs a restart.',
          default: 8080,
          minimum: 0,
          maximum: 65_535,
        }),
        backlog: BacklogSetting(),
      },
      { description: 'Where clients connect.' },
    ),
    admin: Section(
      {
        host: ListenHost('Address for operators. A change needs a restart.'),
        port: Type.Integer({
          description: 'Port for operators; 0 lets the system choose. A change needs a restart.',
          default: DEFAULT_ADMIN_PORT,
          minimum: 0,
          maximum: 65_535,
        }),
        allowedHosts: Type.Array(Type.String({ pattern: '^[A-Za-z0-9._~:\\[\\]-]+$' }), {
          description:
            "Names that the Host header may have, such as that of a proxy in front, without ports; others are answered with 421, so that no page in an operator's browser reads this API under a name of its own (DNS rebinding). Always allowed are localhost, host, and loopback addresses where host is one. Beyond loopback, where a token is needed, every address is allowed, and every name while the list is empty.",
          default: [],
        }),
        token: Type.Optional(
          Type.String({
            description:
              'Whoever changes something shows it as "Authorization: Bearer TOKEN"; beyond loopback whoever asks for anything but /healthy, /ready and the page. Without one nothing can be changed, and host must be loopback. Gateways of one system share it.',
            examples: ['${CAUSEWAY_ADMIN_TOKEN}'],
            pattern: '^[A-Za-z0-9._~+/=-]*$',
            writeOnly: true,
          }),
        ),
        tokenFile: Type.Optional(
          Type.String({
            description: 'A file that holds the token, instead of it. Read when this file is.',
            examples: ['/run/secrets/causeway-admin-token'],
          }),
        ),
      },
      { description: 'Where operators connect: /healthy, /ready, /metrics, /api/….' },
    ),
    cors: CorsSection,
    trust: TrustSection,
    regions: Type.Array(RegionConfig, { description: 'The regions, in any order.', minItems: 1 }),
    healthCheck: Section(
      {
        path: Type.String({ description: 'Asked with GET; 200 to 299 is well.', default: '/ready', pattern: '^/' }),
        intervalMs: Type.Integer({
          description: 'Between the starts of two probes of a target, in milliseconds.',
          default: 500,
          minimum: 10,
          maximum: 3_600_000,
        }),
        timeoutMs: Type.Integer({
          description:
            'A probe without an answer fails after this long, in milliseconds. A frozen target is declared down within intervalMs + fall * timeoutMs.',
          default: 500,
          minimum: 10,
          maximum: 600_000,
        }),
        rise: Type.Integer({
          description: 'Good probes in a row until a target is up.',
          default: 2,
          minimum: 1,
          maximum: 100,
        }),
        fall: Type.Integer({
          description: 'Failed probes in a row until it is down.',
          default: 2,
          minimum: 1,
          maximum: 100,
        }),
        panicPercent: Type.Integer({
          description:
            'When fewer targets than this share (in percent) are left, probes are no longer believed and all targets get traffic. 0 turns it off.',
          default: 30,
          minimum: 0,
          maximum: 100,
        }),
      },
      { description: 'Active health checks.' },
    ),
    breaker: Section(
      {
        errorPercent: Type.Integer({
          description:
            'A target of whose requests more than this share fail, in percent, is not used for a while. Connections that fail count, and 5xx answers; what a client can bring about by itself (a time limit, a 5xx answer to what was asked) does not (docs/faults.md).',
          default: 50,
          minimum: 1,
          maximum: 99,
        }),
        minRequests: Type.Integer({
          description: 'Requests in the window before the breaker may open.',
          default: 20,
          minimum: 1,
          maximum: 1_000_000,
        }),
        windowMs: Type.Integer({
          description: 'Length of the window, in milliseconds.',
          default: 10_000,
          minimum: 100,
          maximum: 600_000,
        }),
        resetMs: Type.Integer({
          description: 'Open for this long, in milliseconds; then one request is let through to try.',
          default: 5_000,
          minimum: 10,
          maximum: 3_600_000,
        }),
      },
      { description: 'Circuit breaker of each target.' },
    ),
    upstream: Section(
      {
        connectTimeoutMs: Type.Integer({
          description: 'A connection that is not there after this long has failed, in milliseconds.',
          default: 1_000,
          minimum: 1,
          maximum: 600_000,
        }),
        maxInFlight: Type.Integer({
          description: 'Requests that a target may have at a time; above it the target counts as not available.',
          default: 10_000,
          minimum: 1,
          maximum: 1_000_000,
        }),
        keepAliveMs: Type.Integer({
          description:
            'An idle connection is closed after this long, in milliseconds (sooner where the target says so).',
          default: 30_000,
          minimum: 1,
          maximum: 600_000,
        }),
      },
      { description: 'Connections to targets.' },
    ),
    request: Section(
      {
        bufferBytes: Type.Integer({
          description:
            'A body up to this size, in bytes, is kept so that it can be sent again. A larger one is streamed, and retried only where no connection was made.',
          default: 1_048_576,
          minimum: 0,
          maximum: 1_073_741_824,
        }),
        maxBodyBytes: Type.Integer({
          description: 'A larger body is answered with 413, in bytes.',
          default: 67_108_864,
          minimum: 1,
          maximum: 1_099_511_627_776,
        }),
        maxUrlBytes: Type.Integer({
          description: 'A longer URL, with its query, is answered with 414, in bytes. A change needs a restart.',
          default: 4_096,
          minimum: 256,
          maximum: 1_048_576,
        }),
        maxHeaderBytes: Type.Integer({
          description:
            'Longer headers, the URL among them, are answered with 431, in bytes. What gateways add does not count. A change needs a restart.',
          default: 16_384,
          minimum: 1_024,
          maximum: 1_048_576,
        }),
        headersTimeoutMs: Type.Integer({
          description:
            'How long the headers of a request may take to arrive, in milliseconds; 408 after it. A change needs a restart.',
          default: 10_000,
          minimum: 1,
          maximum: 300_000,
        }),
        bodyTimeoutMs: Type.Integer({
          description:
            'How long a body may bring no byte while the gateway waits for it, in milliseconds; 408 after it. A change needs a restart.',
          default: 30_000,
          minimum: 1,
          maximum: 300_000,
        }),
        deadlineMs: Type.Integer({
          description:
            'All attempts of a request together, from when its body has arrived, in milliseconds; then 504. A poll has its own timeout plus pollMarginMs instead; a streamed body or answer may take so long between two pieces.',
          default: 30_000,
          minimum: 1,
          maximum: 3_600_000,
        }),
        attemptTimeoutMs: Type.Integer({
          description:
            "One attempt waits this long for the answer, in milliseconds. For a poll: its own timeout plus pollMarginMs. Longer than the bridges' producer.deliveryTimeoutMs, so that a bridge answers first: what waits for a target that answers probes is not sent elsewhere, but answered with 504.",
          default: 25_000,
          minimum: 1,
          maximum: 3_600_000,
        }),
        pollMarginMs: Type.Integer({
          description:
            'What a poll may take beyond its own timeout, in milliseconds: joining the group and failing over.',
          default: 10_000,
          minimum: 1,
          maximum: 3_600_000,
        }),
      },
      { description: 'Requests of clients.' },
    ),
    limits: Section(
      {
        maxInFlightBytes: Type.Integer({
          description:
            'Bytes of request bodies, and of answers that clients have not read, at a time, over all clients; what comes beyond it is refused with 503. Of this, bodies and answers above 65536 bytes use three quarters at most. Clients that make no progress for a second make room for others.',
          default: 268_435_456,
          minimum: 65_536,
          maximum: 1_099_511_627_776,
        }),
        answerTimeoutMs: Type.Integer({
          description: 'A client that takes no byte of its answer for so long loses its connection, in milliseconds.',
          default: 60_000,
          minimum: 1,
          maximum: 3_600_000,
        }),
      },
      { description: 'What all clients together may hold.' },
    ),
    response: Section(
      {
        bufferBytes: Type.Integer({
          description:
            'An answer up to this size, in bytes, is held until it is complete, so that a region that dies in the middle of it costs the client nothing. A larger one is streamed.',
          default: 1_048_576,
          minimum: 0,
          maximum: 1_073_741_824,
        }),
      },
      { description: 'Answers of regions.' },
    ),
    retry: Section(
      {
        maxAttempts: Type.Integer({
          description: 'Targets that a request is sent to at most; each target once.',
          default: 4,
          minimum: 1,
          maximum: 100,
        }),
        produce: Choice(['at-least-once', 'at-most-once'], {
          description:
            'A produce request that may have been executed (the connection broke, the target went down): sent to the next target, where the records may then stand twice, or answered with 502.',
          default: 'at-least-once',
        }),
        budgetPercent: Type.Integer({
          description:
            'Retries in 10 s may be this share of the requests in 10 s, in percent, so that retries cannot become a storm.',
          default: 20,
          minimum: 0,
          maximum: 1_000,
        }),
        budgetMinRetries: Type.Integer({
          description: 'Retries in 10 s that are allowed however few requests there are.',
          default: 500,
          minimum: 0,
          maximum: 1_000_000,
        }),
      },
      { description: 'Sending a request again, to another target.' },
    ),
    affinity: Section(
      {
        maxConsumers: Type.Integer({
          description: 'Consumers whose region is remembered; beyond it those that were quiet longest are forgotten.',
          default: 100_000,
          minimum: 1,
          maximum: 10_000_000,
        }),
        returnAfterMs: Type.Integer({
          description:
            'A consumer that a failure moved goes back, one by one at their next polls, once the place where it belongs has been well for this long, in milliseconds. 0: consumers stay where they are.',
          default: 0,
          minimum: 0,
          maximum: 2_147_483_647,
        }),
      },
      { description: 'Consumers and their region.' },
    ),
    shutdown: Section(
      {
        graceMs: Type.Integer({
          description: 'Requests in flight may take this long to finish after SIGTERM, in milliseconds.',
          default: 10_000,
          minimum: 0,
          maximum: 600_000,
        }),
      },
      { description: 'Orderly end.' },
    ),
    log: LogSection(' A change needs a restart.'),
    accessLog: Type.Optional(AccessLogSection),
    tracing: Type.Optional(TracingSection('causeway-gateway')),
  },
  { description: 'Configuration of a Causeway gateway.' },
);

export type GatewayConfig = Static<typeof GatewayConfig>;
export type RegionConfig = GatewayConfig['regions'][number];
export type TargetConfig = RegionConfig['targets'][number];
