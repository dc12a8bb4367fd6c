/** A region in its own network namespace, behind two links that can be cut: packets vanish without an error. */
import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { LabError } from '../errors.ts';
import { Reaper } from './process.ts';

/** `regions`: to the other region and to tier-1; `kafka`: to the brokers. */
export type Link = 'regions' | 'kafka';

interface LinkEnds {
  /** Addresses of a /30 from a private block (RFC 1918). */
  outside: string;
  inside: string;
  /** Fixed, so that no ARP request is needed: its failure would be noticed. */
  outsideMac: string;
  insideMac: string;
}

const LINKS: Readonly<Record<Link, LinkEnds>> = {
  regions: {
    outside: '10.203.61.1',
    inside: '10.203.61.2',
    outsideMac: '02:ca:05:00:00:01',
    insideMac: '02:ca:05:00:00:02',
  },
  kafka: {
    outside: '10.203.61.5',
    inside: '10.203.61.6',
    outsideMac: '02:ca:05:00:00:05',
    insideMac: '02:ca:05:00:00:06',
  },
};
const LINK_NAMES = ['regions', 'kafka'] as const;

/** The block of both links. */
export const NETWORK_BLOCK = '10.203.61.0/29';

/** A bucket of one byte drops every packet silently (tc-tbf(8)). */
const BLACK_HOLE = ['root', 'tbf', 'rate', '8bit', 'burst', '1', 'latency', '1ms'];

/** Why this machine cannot give a region its own network; undefined when it can. */
export function whyNoRegionNetwork(): string | undefined {
  if (process.platform !== 'linux') return 'network namespaces need Linux';
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  for (const tool of ['ip', 'tc']) {
    if (spawnSync(tool, ['-V']).status !== 0) return `${tool} is not installed (Debian: iproute2)`;
  }
  return undefined;
}

export class RegionNetwork {
  readonly #namespace: string;
  readonly #reaper = new Reaper();

  private constructor(namespace: string) {
    this.#namespace = namespace;
    // Deleting it removes its ends of the links.
    this.#reaper.atEnd(['ip', 'netns', 'delete', namespace]);
  }

  /** Errors: `startFailed` with the output of `ip`, for example while another lab has such a region. */
  static async create(): Promise<RegionNetwork> {
    const namespace = `causeway-${process.pid}`;
    run('ip', 'netns', 'add', namespace);
    const network = new RegionNetwork(namespace);
    try {
      run('ip', '-n', namespace, 'link', 'set', 'lo', 'up');
      for (const link of LINK_NAMES) network.#connect(link);
      return network;
    } catch (error) {
      await network.close();
      throw error;
    }
  }

  /** The address of one end of a link. */
  address(link: Link, end: 'inside' | 'outside'): string {
    return LINKS[link][end];
  }

  /** The prefix of a command line that runs inside; the process keeps its id. */
  get commandPrefix(): readonly [string, ...string[]] {
    return ['ip', 'netns', 'exec', this.#namespace];
  }

  /** In both directions. */
  cut(link: Link): void {
    run('tc', 'qdisc', 'add', 'dev', deviceOf(link, 'outside'), ...BLACK_HOLE);
    run('tc', '-n', this.#namespace, 'qdisc', 'add', 'dev', deviceOf(link, 'inside'), ...BLACK_HOLE);
  }

  heal(link: Link): void {
    run('tc', 'qdisc', 'del', 'dev', deviceOf(link, 'outside'), 'root');
    run('tc', '-n', this.#namespace, 'qdisc', 'del', 'dev', deviceOf(link, 'inside'), 'root');
  }

  async close(): Promise<void> {
    await this.#reaper.close();
  }

  #connect(link: Link): void {
    const { outside, inside, outsideMac, insideMac } = LINKS[link];
    const [outsideDevice, insideDevice] = [deviceOf(link, 'outside'), deviceOf(link, 'inside')];
    const within = ['-n', this.#namespace];
    run(
      ...['ip', 'link', 'add', outsideDevice, 'address', outsideMac, 'type', 'veth'],
      ...['peer', 'name', insideDevice, 'address', insideMac, 'netns', this.#namespace],
    );
    run('ip', 'address', 'add', `${outside}/30`, 'dev', outsideDevice);
    run('ip', ...within, 'address', 'add', `${inside}/30`, 'dev', insideDevice);
    run('ip', 'link', 'set', outsideDevice, 'up');
    run('ip', ...within, 'link', 'set', insideDevice, 'up');
    run('ip', 'neighbour', 'replace', inside, 'lladdr', insideMac, 'dev', outsideDevice, 'nud', 'permanent');
    run(
      'ip',
      ...within,
      'neighbour',
      'replace',
      outside,
      'lladdr',
      outsideMac,
      'dev',
      insideDevice,
      'nud',
      'permanent',
    );
  }
}

/** At most 15 characters (IFNAMSIZ). */
function deviceOf(link: Link, end: 'inside' | 'outside'): string {
  return `cway-${link === 'regions' ? 'r' : 'k'}-${end === 'inside' ? 'in' : 'out'}`;
}

function run(...command: string[]): void {
  const [tool = '', ...args] = command;
  const { status, stderr, error } = spawnSync(tool, args, { encoding: 'utf8' });
  if (status === 0) return;
  throw new LabError('startFailed', `${command.join(' ')}: ${stderr?.trim() || error?.message}`, { cause: error });
}
