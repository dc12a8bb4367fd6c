/** The gateway's configuration: every key with its meaning, unit, default and bounds, declared once. */

import { CorsSection } from '@causeway/config/cors.ts';
import { DNS_NAME } from '@causeway/config/form.ts';
import { Choice, Entry, HttpUrl, LogSection, Section, type Static, Type } from '@causeway/config/schema.ts';
import { TrustSection } from '@causeway/config/trust.ts';
import { ServerName, UpstreamTls } from '@causeway/config/upstream-tls.ts';
import { AccessLogSection, TracingSection } from '@causeway/telemetry/sections.ts';
import { AccessSection } from './access.ts';
import { AdminSection } from './admin.ts';
import { AuthSection } from './auth.ts';
import { ClustersSection } from './clusters.ts';
import { ListenerList, ListenSection } from './listeners.ts';
import { QuotasSection } from './quotas.ts';

const Port = (description: string, example: number) =>
  Type.Optional(Type.Integer({ description, examples: [example], minimum: 1, maximum: 65_535 }));
const Scheme = (description: string) =>
  Type.Optional(
    Type.Unsafe<'http' | 'https'>({
      description,
      examples: ['https'],
      anyOf: [Type.Literal('http'), Type.Literal('https')],
    }),
  );

const TargetConfig = Entry(
  {
    url: Type.Optional(
      HttpUrl({
        description: 'Where the bridge or the regional gateway listens. A path prefix is not supported.',
        examples: ['http://127.0.0.1:8282'],
      }),
    ),
    healthUrl: Type.Optional(
      HttpUrl({
        description: 'Where probes go, if not to url: the management port of a bridge that has one.',
        examples: ['http://127.0.0.1:8081'],
      }),
    ),
    adminUrl: Type.Optional(
      HttpUrl({
        description: "A regional gateway's admin address; the gateway relays /api/regions/NAME/… to it.",
        examples: ['http://127.0.0.1:8181'],
      }),
    ),
    dns: Type.Optional(
      Type.String({
        description:
          'In place of url: a name whose addresses are each a target of its own, in the section discovery. A name that ends with a dot is absolute; others are completed by the search list of /etc/resolv.conf.',
        examples: ['bridge-headless.kafka-bridge.svc'],
        format: DNS_NAME,
      }),
    ),
    port: Port(
      'With dns: where the targets listen on each address (A and AAAA records). Without it, the SRV records of the name give hosts and ports.',
      8080,
    ),
    scheme: Scheme(
      'With dns: how the targets are reached, http by default. With https their certificates must have serverName, by default the name in dns.',
    ),
    healthPort: Port('With dns: the port of each address to which probes go, if not port.', 8081),
    healthScheme: Scheme('With healthPort: how probes are sent there, if not by scheme.'),
    adminPort: Port("With dns: the admin port of regional gateways, as adminUrl's.", 8181),
    adminScheme: Scheme('With adminPort: how the gateway asks there, if not by scheme.'),
    serverName: ServerName(
      'The name that the certificate of the target must have, in place of upstream.tls.serverName, of dns or of the host in the https URL.',
    ),
  },
  { description: 'A bridge or a regional gateway, or all of those behind a name.', alternatives: [['url'], ['dns']] },
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
        'Share of new work among the regions of the same priority. 0 gives the region no new work, and moves its consumers to other regions at their next poll.',
      default: 100,
      minimum: 0,
      maximum: 1_000_000,
    }),
    priority: Type.Integer({
      description: 'Lower is better: the available regions with the lowest number get all the work.',
      default: 0,
      minimum: 0,
      maximum: 1_000,
    }),
    targets: Type.Array(TargetConfig, {
      description: 'Bridges or regional gateways that serve the region.',
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
          description:
            'Name of this gateway in headers, logs and metrics. Unique among the gateways that a request passes.',
          default: 'gateway',
          pattern: '^[A-Za-z0-9._-]+$',
        }),
        region: Type.Optional(
          Type.String({
            description: 'Region of this gateway. A tier-1 gateway, which stands above the regions, has none.',
            examples: ['east'],
            pattern: '^[A-Za-z0-9._-]+$',
          }),
        ),
      },
      { description: 'Identity of this gateway.' },
    ),
    // Absent where the file has `listeners`.
    listen: Type.Optional(ListenSection),
    listeners: Type.Optional(ListenerList),
    admin: AdminSection,
    cors: CorsSection,
    trust: TrustSection,
    auth: Type.Optional(AuthSection),
    access: Type.Optional(AccessSection),
    quotas: QuotasSection,
    regions: Type.Array(RegionConfig, { description: 'The regions, in any order.', minItems: 1 }),
    clusters: Type.Optional(ClustersSection),
    healthCheck: Section(
      {
        path: Type.String({
          description: 'Path of probes, a GET; 2xx means healthy.',
          default: '/ready',
          pattern: '^/',
        }),
        intervalMs: Type.Integer({
          description: 'Time between the starts of two probes of a target, in milliseconds.',
          default: 500,
          minimum: 10,
          maximum: 3_600_000,
        }),
        timeoutMs: Type.Integer({
          description:
            'Time limit of a probe, in milliseconds. A frozen target is declared down within intervalMs + fall * timeoutMs.',
          default: 500,
          minimum: 10,
          maximum: 600_000,
        }),
        rise: Type.Integer({
          description: 'Successful probes in a row that make a target healthy.',
          default: 2,
          minimum: 1,
          maximum: 100,
        }),
        fall: Type.Integer({
          description: 'Failed probes in a row that make a target unhealthy.',
          default: 2,
          minimum: 1,
          maximum: 100,
        }),
        panicPercent: Type.Integer({
          description:
            'When less than this share of the targets is available, in percent, the gateway ignores probes and sends traffic to all targets. 0 turns panic off.',
          default: 30,
          minimum: 0,
          maximum: 100,
        }),
      },
      { description: 'Active health checks, over the connections that requests use.' },
    ),
    breaker: Section(
      {
        errorPercent: Type.Integer({
          description:
            'Share of failed requests above which the breaker opens and the target gets no requests for a while, in percent. Failed connections and 5xx responses count. An outcome that a client can cause by itself, such as a timeout or a 5xx response to its own request, does not (docs/faults.md).',
          default: 50,
          minimum: 1,
          maximum: 99,
        }),
        minRequests: Type.Integer({
          description: 'Requests that the window must contain before the breaker may open.',
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
          description: 'How long the breaker stays open before it admits one trial request, in milliseconds.',
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
          description: 'Time limit for opening a connection, in milliseconds.',
          default: 1_000,
          minimum: 1,
          maximum: 600_000,
        }),
        maxInFlight: Type.Integer({
          description: 'Requests that may be in flight on a target. A target at this limit gets no more.',
          default: 10_000,
          minimum: 1,
          maximum: 1_000_000,
        }),
        keepAliveMs: Type.Integer({
          description:
            'How long an idle connection stays open, in milliseconds. The target may ask for less (Keep-Alive).',
          default: 30_000,
          minimum: 1,
          maximum: 600_000,
        }),
        maxConnectionAgeMs: Type.Integer({
          description:
            'A connection older than this, in milliseconds, carries no further request: it closes when its request ends, or while it is idle. So a target that runs behind a load balancer gets its share of the requests again after it returned. Connections end in the last tenth of this time, not all at once. 0: connections have no limit of age.',
          default: 300_000,
          minimum: 0,
          maximum: 86_400_000,
        }),
        tls: UpstreamTls,
      },
      { description: 'Connections to targets.' },
    ),
    discovery: Section(
      {
        refreshMs: Type.Integer({
          description:
            'Time between the starts of two lookups of a name, also of the host in a URL, in milliseconds. A failed connection to one of its targets starts one earlier, at most one a second. The time to live of records is ignored.',
          default: 5_000,
          minimum: 10,
          maximum: 3_600_000,
        }),
        timeoutMs: Type.Integer({
          description: 'Time limit of a lookup, in milliseconds.',
          default: 2_000,
          minimum: 10,
          maximum: 600_000,
        }),
        maxTargets: Type.Integer({
          description:
            'Most targets that a name may have. Beyond it, those that are targets already stay, and an event reports it.',
          default: 256,
          minimum: 1,
          maximum: 10_000,
        }),
        servers: Type.Array(Type.String(), {
          description:
            'DNS servers, as ADDRESS or ADDRESS:PORT, for names in dns and for the hosts of URLs. None: those of /etc/resolv.conf, which is read again at each lookup, and for the hosts of URLs the system, with /etc/hosts.',
          default: [],
        }),
      },
      { description: 'Targets that are found by DNS.' },
    ),
    request: Section(
      {
        bufferBytes: Type.Integer({
          description:
            'Bodies up to this size, in bytes, are kept so that they can be sent again. A larger body is streamed, and retried only if no connection could be opened. The default is the largest body that bridges accept by default (limits.maxBodyBytes).',
          default: 16_777_216,
          minimum: 0,
          maximum: 1_073_741_824,
        }),
        maxBodyBytes: Type.Integer({
          description: 'Limit for a body, in bytes. A larger one gets 413.',
          default: 67_108_864,
          minimum: 1,
          maximum: 1_099_511_627_776,
        }),
        maxUrlBytes: Type.Integer({
          description: 'Limit for a URL with its query, in bytes. A longer one gets 414. A change needs a restart.',
          default: 4_096,
          minimum: 256,
          maximum: 1_048_576,
        }),
        maxHeaderBytes: Type.Integer({
          description:
            'Limit for the URL and all headers together, in bytes. Longer ones get 431. Headers that gateways add do not count. A change needs a restart.',
          default: 16_384,
          minimum: 1_024,
          maximum: 1_048_576,
        }),
        headersTimeoutMs: Type.Integer({
          description:
            'Time limit for the headers of a request to arrive, in milliseconds; then 408. A change needs a restart.',
          default: 10_000,
          minimum: 1,
          maximum: 300_000,
        }),
        bodyTimeoutMs: Type.Integer({
          description:
            'How long the gateway waits for the next byte of a body, in milliseconds; then 408. A change needs a restart.',
          default: 30_000,
          minimum: 1,
          maximum: 300_000,
        }),
        deadlineMs: Type.Integer({
          description:
            'Time limit for all attempts of a request together, from the end of its body, in milliseconds; then 504. For a poll the limit is its own timeout plus pollMarginMs. For a streamed body or response it is the limit between two pieces.',
          default: 30_000,
          minimum: 1,
          maximum: 3_600_000,
        }),
        attemptTimeoutMs: Type.Integer({
          description:
            "Time limit for one attempt, in milliseconds. For a poll it is the poll's own timeout plus pollMarginMs. Keep it above the bridges' producer.deliveryTimeoutMs, so that a bridge responds first: a request that times out at a target with good probes is not retried and gets 504.",
          default: 25_000,
          minimum: 1,
          maximum: 3_600_000,
        }),
        pollMarginMs: Type.Integer({
          description:
            'Time that a poll may take beyond its own timeout, in milliseconds, for joining the group and for failover.',
          default: 10_000,
          minimum: 1,
          maximum: 3_600_000,
        }),
      },
      { description: 'Requests of clients.' },
    ),
    limits: Section(
      {
        maxInFlightBytes: Type.Optional(
          Type.Integer({
            description:
              'Limit for the bytes of request bodies and of responses that the gateway holds, over all clients. Bodies and responses above 65536 bytes may use three quarters of it; those for which there is no room are streamed, and not sent again when a region dies. Smaller requests beyond the limit are refused with 503. Clients that make no progress for a second lose their connections when others need the room. Default: a quarter of the memory of the machine or container, from 64 MiB to 512 MiB.',
            examples: [536_870_912],
            minimum: 65_536,
            maximum: 1_099_511_627_776,
          }),
        ),
        answerTimeoutMs: Type.Integer({
          description:
            'How long a client may read no byte of its response before its connection is closed, in milliseconds.',
          default: 60_000,
          minimum: 1,
          maximum: 3_600_000,
        }),
      },
      { description: 'Limits over all clients together.' },
    ),
    response: Section(
      {
        bufferBytes: Type.Integer({
          description:
            'Responses up to this size, in bytes, are held until they are complete, so that the request can be retried when the region dies in the middle. A larger response is streamed. Bridges end responses to polls before this size, unless a single record is larger. 0 streams all responses.',
          default: 16_777_216,
          minimum: 0,
          maximum: 1_073_741_824,
        }),
      },
      { description: 'Responses of regions.' },
    ),
    retry: Section(
      {
        maxAttempts: Type.Integer({
          description: 'Most targets that a request is sent to, each of them once.',
          default: 4,
          minimum: 1,
          maximum: 100,
        }),
        produce: Choice(['exactly-once', 'at-least-once', 'at-most-once'], {
          description:
            'What happens to a produce request that may have been executed (the connection broke, the target went down). at-least-once sends it to the next target, which may store its records twice; at-most-once responds with 502. exactly-once gives each produce request without an Idempotency-Key one, sends it to the next target, and has its records stored once (docs/exactly-once.md); bodies above request.bufferBytes get no key and are not sent again. Requests with a key of their client are sent again in all three cases.',
          default: 'at-least-once',
        }),
        budgetPercent: Type.Integer({
          description: 'Retries in 10 s as a share of the requests in 10 s, in percent. Prevents retry storms.',
          default: 20,
          minimum: 0,
          maximum: 1_000,
        }),
        budgetMinRetries: Type.Integer({
          description: 'Retries in 10 s that are always allowed, however few requests there are.',
          default: 500,
          minimum: 0,
          maximum: 1_000_000,
        }),
      },
      { description: 'Retries: sending a request to another target.' },
    ),
    affinity: Section(
      {
        maxConsumers: Type.Integer({
          description:
            'Consumers whose home is remembered. Beyond this number, those without a request for the longest time are forgotten.',
          default: 100_000,
          minimum: 1,
          maximum: 10_000_000,
        }),
        returnAfterMs: Type.Integer({
          description:
            'Consumers that a failure moved return one by one, at their next polls, once the region where they belong has been healthy for this long, in milliseconds. 0 leaves them where they are. Slots of idempotency keys return in the same way with their next requests, with 0 after a minute; a gateway that stands in a region asks for that only within one region.',
          default: 0,
          minimum: 0,
          maximum: 2_147_483_647,
        }),
      },
      { description: 'Consumers and their homes.' },
    ),
    shutdown: Section(
      {
        delayMs: Type.Integer({
          description:
            'How long the gateway continues to serve after SIGTERM, in milliseconds: /ready responds 503, and each response closes its connection, so that load balancers and clients leave before anything is refused.',
          default: 0,
          minimum: 0,
          maximum: 600_000,
        }),
        graceMs: Type.Integer({
          description: 'How long requests in flight may take to finish after SIGTERM and delayMs, in milliseconds.',
          default: 10_000,
          minimum: 0,
          maximum: 600_000,
        }),
      },
      { description: 'Graceful shutdown.' },
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
