/** The arguments of `npm start -- …`. */
import { buildSchedule, type RegionAtSecond, type ScheduledAction } from './chaos/schedule.ts';
import { DEFAULT_PORT_BASE, defaultPorts, describePorts, type StackShape } from './stack/ports.ts';
import { isRegionName, REGION_NAMES } from './stack/regions.ts';
import { bad, readGiven } from './traffic/given-options.ts';

export interface LabOptions {
  /** Stops after this long; undefined: runs until it is stopped. */
  seconds: number | undefined;
  hasTraffic: boolean;
  brokerCount: 1 | 3;
  /** With two, each region has its own Kafka. */
  clusterCount: 1 | 2;
  /** TLS on every hop. */
  isSecure: boolean;
  /** Keys, and nothing stored twice. */
  isExactlyOnce: boolean;
  /** Undefined: clients are anonymous, and may do everything. */
  tenantCount: number | undefined;
  bootstrap: string | undefined;
  portBase: number;
  /** For logs, Kafka's data and `stack.json`; undefined: `.causeway` in the repository. */
  directory: string | undefined;
  /** In chronological order. */
  schedule: ScheduledAction[];
}

export type Arguments = { kind: 'help' } | { kind: 'version' } | { kind: 'run'; options: LabOptions };

/** One tenant alone would show nothing. */
const MIN_TENANTS = 2;
/** More than a laptop serves. */
const MAX_TENANTS = 9;

export const USAGE = `Usage: npm start -- [options]

Brings up Kafka, two regions and the tier-1 gateway on this machine, with traffic through it.

  --seconds N               stop by itself after N seconds; the exit code is 1 if a record was lost
                            or a request of a client failed
  --kill REGION@SECOND      kill a region (${REGION_NAMES.join(' or ')}) at that second; may be repeated
  --restore REGION@SECOND   start it again; may be repeated
  --promote REGION@SECOND   with two clusters: from that second on, ask until the region's cluster is the active one
  --rejoin REGION@SECOND    with two clusters: the same, until one that was replaced and came back may stand by
  --no-traffic              bring the system up and leave it alone
  --tls                     TLS on every hop, with HTTP/2 for clients and a Kafka that checks rights; the
                            certificates and passwords are made for this run
  --tenants N               clients authenticate: N tenants (${MIN_TENANTS} to ${MAX_TENANTS}) with topics, a producer and a
                            consumer each, and a guest who is refused; with --tls their tokens are encrypted on the way
  --exactly-once            the producer sends a key with each request and repeats it after a failure, consumers read with
                            read_committed; the exit code is also 1 if a record is twice in Kafka
  --clusters 1|2            2: each region has a Kafka of its own, and dies with it; MirrorMaker fills the one that
                            stands by, and clients move to it (default 1, in which both regions share one)
  --brokers 1|3             brokers of the Kafka that is started (default 1)
  --bootstrap HOST:PORT     use this Kafka instead (or set KAFKA_BOOTSTRAP_SERVERS)
  --port-base N             tier-1 listens on N (default ${DEFAULT_PORT_BASE}), all other ports move along
  --directory DIR           for logs, Kafka's data and stack.json, which replace those of the run before
                            (default .causeway in the repository)
  --version                 the version of the lab, and of Node.js
  --help                    this text`;

const OPTIONS = {
  seconds: { type: 'string' },
  kill: { type: 'string', multiple: true },
  restore: { type: 'string', multiple: true },
  promote: { type: 'string', multiple: true },
  rejoin: { type: 'string', multiple: true },
  'no-traffic': { type: 'boolean' },
  tls: { type: 'boolean' },
  'exactly-once': { type: 'boolean' },
  tenants: { type: 'string' },
  clusters: { type: 'string' },
  brokers: { type: 'string' },
  bootstrap: { type: 'string' },
  'port-base': { type: 'string' },
  directory: { type: 'string' },
  version: { type: 'boolean' },
  help: { type: 'boolean' },
} as const;

type OptionName = keyof typeof OPTIONS;

/** Errors: `badArguments`, in one sentence. */
export function parseArguments(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
): Arguments {
  const { options: given } = readGiven(argv, OPTIONS, 0);
  if (given.has('help')) return { kind: 'help' };
  if (given.has('version')) return { kind: 'version' };
  const last = (name: OptionName): string | undefined => given.get(name)?.at(-1);
  const actions = (name: OptionName): RegionAtSecond[] =>
    (given.get(name) ?? []).map((text) => readRegionAtSecond(`--${name}`, text));

  const seconds = last('seconds');
  const options: LabOptions = {
    seconds: seconds === undefined ? undefined : readSeconds(seconds),
    hasTraffic: !given.has('no-traffic'),
    isSecure: given.has('tls'),
    isExactlyOnce: given.has('exactly-once'),
    brokerCount: readBrokerCount(last('brokers')),
    clusterCount: readClusterCount(last('clusters')),
    tenantCount: readTenantCount(last('tenants')),
    bootstrap: readBootstrap('--bootstrap', last('bootstrap')),
    portBase: DEFAULT_PORT_BASE,
    directory: last('directory'),
    schedule: buildSchedule({
      kills: actions('kill'),
      restores: actions('restore'),
      promotions: actions('promote'),
      rejoins: actions('rejoin'),
    }),
  };
  if (given.has('bootstrap') && given.has('brokers')) {
    throw bad('--brokers is for a Kafka that the lab starts, --bootstrap for an existing one: give one of them.');
  }
  if (given.has('bootstrap') && options.isSecure) {
    throw bad('--tls starts a Kafka of its own, --bootstrap uses an existing one: give one of them.');
  }
  if (options.clusterCount === 2) checkTwoClusters(options, given);
  else if (given.has('promote') || given.has('rejoin')) throw bad('--promote and --rejoin need --clusters 2.');
  // Explicit options beat the environment.
  const startsKafka = given.has('brokers') || options.isSecure || options.clusterCount === 2;
  if (options.bootstrap === undefined && !startsKafka) {
    options.bootstrap = readBootstrap('KAFKA_BOOTSTRAP_SERVERS', env['KAFKA_BOOTSTRAP_SERVERS'] || undefined);
  }
  options.portBase = readPortBase(last('port-base'), options);
  const late = options.schedule.find((action) => options.seconds !== undefined && action.atSecond >= options.seconds);
  if (late !== undefined) {
    throw bad(`--${late.action} ${late.region}@${late.atSecond} would come after the end (--seconds ${seconds}).`);
  }
  return { kind: 'run', options };
}

function readNumber(text: string): number | undefined {
  return /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : undefined;
}

function readSeconds(text: string): number {
  const seconds = readNumber(text);
  if (seconds === undefined || seconds === 0) throw bad(`--seconds ${text}: must be a number above 0.`);
  return seconds;
}

function readTenantCount(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const count = /^\d$/.test(text) ? Number(text) : 0;
  if (count < MIN_TENANTS || count > MAX_TENANTS) {
    throw bad(`--tenants ${text}: must be a number from ${MIN_TENANTS} to ${MAX_TENANTS}.`);
  }
  return count;
}

function readBrokerCount(text: string | undefined): 1 | 3 {
  switch (text) {
    case undefined:
    case '1':
      return 1;
    case '3':
      return 3;
    default:
      throw bad(`--brokers ${text}: must be 1 or 3.`);
  }
}

function readClusterCount(text: string | undefined): 1 | 2 {
  switch (text) {
    case undefined:
    case '1':
      return 1;
    case '2':
      return 2;
    default:
      throw bad(`--clusters ${text}: must be 1 or 2.`);
  }
}

/** What two clusters do not go with. */
function checkTwoClusters({ tenantCount }: LabOptions, given: ReadonlyMap<string, unknown>): void {
  if (given.has('bootstrap')) {
    throw bad('--clusters 2 starts two Kafkas of its own, --bootstrap uses an existing one: give one of them.');
  }
  if (given.has('tls')) throw bad('--clusters 2 and --tls do not go together yet: give one of them.');
  if (tenantCount !== undefined) throw bad('--clusters 2 and --tenants do not go together yet: give one of them.');
  if (given.has('exactly-once')) {
    throw bad('--clusters 2 and --exactly-once do not go together: a key counts within one cluster.');
  }
}

function readBootstrap(source: string, text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  if (!/^[^\s,:]+:\d{1,5}(?:,[^\s,:]+:\d{1,5})*$/.test(text)) {
    throw bad(`${source} ${text}: must be HOST:PORT, several separated by commas.`);
  }
  return text;
}

function readRegionAtSecond(option: string, text: string): RegionAtSecond {
  const at = text.lastIndexOf('@');
  const region = text.slice(0, Math.max(at, 0));
  const atSecond = readNumber(text.slice(at + 1));
  if (!isRegionName(region) || atSecond === undefined) {
    throw bad(`${option} ${text}: must be REGION@SECOND with REGION ${REGION_NAMES.join(' or ')}, like east@10.`);
  }
  return { region, atSecond };
}

function readPortBase(text: string | undefined, shape: StackShape): number {
  if (text === undefined) return DEFAULT_PORT_BASE;
  const span = Math.max(...describePorts(defaultPorts(shape, 0)).map(({ port }) => port));
  const portBase = readNumber(text);
  if (portBase === undefined || !Number.isInteger(portBase) || portBase < 1 || portBase + span > 65_535) {
    throw bad(`--port-base ${text}: must be a port from 1 to ${65_535 - span}.`);
  }
  return portBase;
}
