/** Another host, as far as this machine's servers can tell: a network namespace behind a link. Needs root on Linux. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';

/** Several runs on one machine have links of their own: a private block (RFC 1918) with a /30 for each process id. */
const BLOCK = '10.204';
const SUBNET_ADDRESSES = 4;
const SUBNETS_PER_BYTE = 256 / SUBNET_ADDRESSES;

export interface HostRequest {
  url: string;
  method?: 'GET' | 'POST';
  headers?: Readonly<Record<string, string>>;
  body?: string;
  /** PEM. */
  tls?: { ca: string; cert?: string; key?: string };
}

export interface HostResponse {
  status: number;
  headers: Record<string, string>;
  text: string;
}

/** Sends the requests of its first argument one after the other, each over a connection of its own. */
const SENDER = `
const responses = [];
for (const { url, method = 'GET', headers = {}, body = '', tls = {} } of JSON.parse(process.argv[1])) {
  const { request } = await import(url.startsWith('https:') ? 'node:https' : 'node:http');
  const sent = request(url, { method, headers: { ...headers, 'content-length': Buffer.byteLength(body) }, agent: false, ...tls });
  sent.end(body);
  const [response] = await (await import('node:events')).once(sent, 'response');
  responses.push({ status: response.statusCode, headers: response.headers, text: (await response.toArray()).join('') });
}
process.stdout.write(JSON.stringify(responses));
`;

export class OtherHost {
  /** Of this machine, as the other one reaches it. */
  readonly serverAddress: string;
  /** Of the other one, as servers see it. */
  readonly clientAddress: string;
  readonly #namespace: string;

  private constructor(index: number) {
    this.#namespace = `causeway-host-${index}`;
    const network = `${BLOCK}.${Math.floor(index / SUBNETS_PER_BYTE) % 256}`;
    const first = (index % SUBNETS_PER_BYTE) * SUBNET_ADDRESSES;
    this.serverAddress = `${network}.${first + 1}`;
    this.clientAddress = `${network}.${first + 2}`;
  }

  /** Errors: with the output of `ip`. */
  static create(): OtherHost {
    const index = process.pid;
    const host = new OtherHost(index);
    const namespace = host.#namespace;
    // At most 15 characters (IFNAMSIZ).
    const [outside, inside] = [`cwho-${index}`, `cwhi-${index}`];
    try {
      run('ip', 'netns', 'add', namespace);
      run('ip', 'link', 'add', outside, 'type', 'veth', 'peer', 'name', inside, 'netns', namespace);
      run('ip', 'address', 'add', `${host.serverAddress}/30`, 'dev', outside);
      run('ip', '-n', namespace, 'address', 'add', `${host.clientAddress}/30`, 'dev', inside);
      run('ip', 'link', 'set', outside, 'up');
      run('ip', '-n', namespace, 'link', 'set', inside, 'up');
      return host;
    } catch (error) {
      host.close();
      throw error;
    }
  }

  /** In order. Errors: of a request that got no response. */
  async send(requests: readonly HostRequest[]): Promise<HostResponse[]> {
    const script = ['--input-type=module', '-e', SENDER, JSON.stringify(requests)];
    const child = spawn('ip', ['netns', 'exec', this.#namespace, process.execPath, ...script]);
    let [output, errors] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      errors += chunk;
    });
    const [code] = await once(child, 'close');
    if (code !== 0) throw new Error(errors);
    return JSON.parse(output) as HostResponse[];
  }

  /** Removes its end of the link, too. */
  close(): void {
    spawnSync('ip', ['netns', 'delete', this.#namespace]);
  }
}

function run(...command: string[]): void {
  const [tool = '', ...args] = command;
  const { status, stderr, error } = spawnSync(tool, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command.join(' ')}: ${stderr?.trim() || error?.message}`);
}
