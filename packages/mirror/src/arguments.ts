/** The command line of `npm run mirror-maker`. */
import { parseArgs } from 'node:util';
import { type Gateway, type Surroundings, whichGateway } from '@causeway/status/gateway.ts';

export const USAGE = `Usage: npm run mirror-maker -- --target CLUSTER [options] -- COMMAND [ARGUMENT]...
       npm run mirror-maker -- --target CLUSTER [options] --connect URL [--connect URL]...

Lets MirrorMaker 2 fill the Kafka cluster CLUSTER while another one is active and CLUSTER stands by, and stops it otherwise: after a
promotion, the direction of the replication turns. One such program stands beside each of the clusters.

COMMAND starts MirrorMaker from the active cluster to CLUSTER, such as
    connect-mirror-maker.sh /etc/mirror-maker/{source}-{target}.properties
  {source} and {target} stand for the names of the clusters. It runs in the foreground, and ends by SIGTERM.

  --connect URL  a worker of the Kafka Connect cluster that has MirrorMaker's connectors, for both directions; may be repeated.
                 User and password: in CAUSEWAY_CONNECT_CREDENTIALS, as USER:PASSWORD
  --url URL      the admin address of a tier-1 gateway; may be repeated: the first one that responds is asked.
                 Default: that of the lab that runs here, else http://127.0.0.1:8081
  --token TOKEN  the token of an operator (admin.tokens); also CAUSEWAY_ADMIN_TOKEN
  --ca FILE      PEM: the authority that signed the certificates of https URLs; also CAUSEWAY_CA_FILE
  --interval-ms MS  how often a gateway is asked; default 1000
  --version      the version of this program, and of Node.js
  --help         this text

Exit code: 0 stopped by SIGTERM or SIGINT, 2 wrong arguments.`;

/** MirrorMaker is a process of this program, or connectors of Kafka Connect. */
export type Way =
  | { kind: 'process'; command: [string, ...string[]] }
  | { kind: 'connect'; urls: string[]; credentials: string | undefined };

export interface MirrorArguments {
  target: string;
  gateways: Gateway[];
  intervalMs: number;
  way: Way;
}

const INTERVAL_MS = { option: '--interval-ms', default: 1_000, min: 50 };

/** Errors: `Error` for an invalid argument. */
export function readArguments(
  args: readonly string[],
  surroundings: Surroundings,
): MirrorArguments | 'help' | 'version' {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      target: { type: 'string' },
      connect: { type: 'string', multiple: true, default: [] },
      url: { type: 'string', multiple: true, default: [] },
      token: { type: 'string' },
      ca: { type: 'string' },
      'interval-ms': { type: 'string' },
      version: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  });
  if (values.help === true) return 'help';
  if (values.version === true) return 'version';
  const { target, token, ca } = values;
  if (target === undefined || target === '') throw new Error('--target CLUSTER is missing: the cluster that is filled');
  const urls: (string | undefined)[] = values.url.length === 0 ? [undefined] : values.url;
  return {
    target,
    gateways: urls.map((url) => whichGateway({ url, token, ca }, surroundings)),
    intervalMs: milliseconds(values['interval-ms'], INTERVAL_MS),
    way: wayOf(positionals, values.connect, surroundings),
  };
}

function wayOf([program, ...rest]: string[], connect: readonly string[], { env }: Surroundings): Way {
  if (connect.length > 0) {
    if (program !== undefined) throw new Error(`--connect and a command (${program}) exclude each other`);
    return {
      kind: 'connect',
      urls: connect.map(workerUrl),
      credentials: env['CAUSEWAY_CONNECT_CREDENTIALS'] || undefined,
    };
  }
  if (program === undefined) throw new Error('give the command that starts MirrorMaker behind --, or --connect URL');
  return { kind: 'process', command: [program, ...rest] };
}

function workerUrl(url: string): string {
  const { protocol, username } = URL.parse(url) ?? {};
  if (protocol !== 'http:' && protocol !== 'https:')
    throw new Error(`--connect ${url} is not a URL such as http://127.0.0.1:8083`);
  if (username !== '') throw new Error('--connect has a user: CAUSEWAY_CONNECT_CREDENTIALS is the place for it');
  return url.replace(/\/+$/, '');
}

function milliseconds(text: string | undefined, range: { option: string; default: number; min: number }): number {
  if (text === undefined) return range.default;
  const value = Number(text);
  if (!Number.isInteger(value) || value < range.min) {
    throw new Error(`${range.option} ${text} is not a number of at least ${range.min}`);
  }
  return value;
}
