/**
 * A real DNS server (npm dns2) over UDP and TCP on one loopback port that the system chooses. A test changes its zone while
 * questions arrive. What does not fit into an answer over UDP is marked as truncated, and clients ask again over TCP.
 *
 * dns-packet writes the answers: dns2 compresses the names in SRV records, which RFC 2782 forbids and c-ares rejects, and takes
 * seconds for thousands of addresses.
 */
import { once } from 'node:events';
import { type AddressInfo, isIPv6 } from 'node:net';
import { type Answer, AUTHORITATIVE_ANSWER, encode, RECURSION_AVAILABLE, TRUNCATED_RESPONSE } from 'dns-packet';
import { type DnsHandler, Packet, TCPServer, UDPServer } from 'dns2';

const HOST = '127.0.0.1';
/** What CoreDNS says of names in a Kubernetes cluster. */
const TTL_SECONDS = 5;
/** UDP and TCP need the same port: the one that UDP got may be taken for TCP. */
const PORT_ATTEMPTS = 20;
/** Longer chains are loops. */
const MAX_ALIASES = 8;

/** `SILENT`: no answer. `TRUNCATED`: over UDP an answer without records, which says to ask over TCP. */
export type DnsFault = 'SERVFAIL' | 'REFUSED' | 'SILENT' | 'TRUNCATED';

/** One SRV record. */
export interface DnsService {
  /** A name of the zone, or one that it does not have. */
  host: string;
  port: number;
  priority?: number;
  weight?: number;
}

export interface DnsQuestion {
  /** In lower case, without the dot at its end. */
  name: string;
  type: 'A' | 'AAAA' | 'SRV' | 'other';
  protocol: 'udp' | 'tcp';
}

interface Entry {
  addresses: readonly string[];
  services: readonly DnsService[];
  alias: string | undefined;
}

type Types = readonly DnsQuestion['type'][];

export class DnsServer {
  /** Every question so far, the silently ignored ones included. */
  readonly questions: DnsQuestion[] = [];
  readonly #zone = new Map<string, Entry>();
  readonly #faults = new Map<string, { fault: DnsFault; types: Types | undefined }>();
  readonly #udp: UDPServer;
  readonly #tcp: TCPServer;

  private constructor(udp: UDPServer, tcp: TCPServer) {
    this.#udp = udp;
    this.#tcp = tcp;
    udp.on('request', this.#handler('udp'));
    tcp.on('request', this.#handler('tcp'));
    // Clients close their connections as they like.
    tcp.on('requestError', () => {});
  }

  static async start(): Promise<DnsServer> {
    for (let attempt = 1; ; attempt += 1) {
      const udp = new UDPServer();
      const tcp = new TCPServer();
      await udp.listen(0, HOST);
      try {
        tcp.listen(udp.address().port, HOST);
        await once(tcp, 'listening');
        return new DnsServer(udp, tcp);
      } catch (error) {
        udp.close();
        if (attempt === PORT_ATTEMPTS) throw error;
      }
    }
  }

  get port(): number {
    return (this.#tcp.address() as AddressInfo).port;
  }

  /** `HOST:PORT`, for `discovery.servers`. */
  get address(): string {
    return `${HOST}:${this.port}`;
  }

  /** Gives a name these addresses of IPv4 and IPv6. None: the name exists and has no addresses. Ends its fault. */
  set(name: string, addresses: readonly string[]): void {
    this.#put(name, { addresses, services: [], alias: undefined });
  }

  /** Gives a name these SRV records. Ends its fault. */
  setServices(name: string, services: readonly DnsService[]): void {
    this.#put(name, { addresses: [], services, alias: undefined });
  }

  /** Makes a name an alias (CNAME) of another one. */
  setAlias(name: string, alias: string): void {
    this.#put(name, { addresses: [], services: [], alias: keyOf(alias) });
  }

  /** The name does not exist any more (NXDOMAIN). Ends its fault. */
  remove(name: string): void {
    this.#zone.delete(keyOf(name));
    this.#faults.delete(keyOf(name));
  }

  /** Answers questions for the name with a fault until the name is set or removed. `types`: only these; default all. */
  fail(name: string, fault: DnsFault, types?: Types): void {
    this.#faults.set(keyOf(name), { fault, types });
  }

  /** Forgets the zone, the faults and the questions. */
  clear(): void {
    this.#zone.clear();
    this.#faults.clear();
    this.questions.length = 0;
  }

  /** The number of questions for a name. */
  countOf(name: string, type?: DnsQuestion['type']): number {
    const key = keyOf(name);
    return this.questions.filter((question) => question.name === key && (type === undefined || question.type === type))
      .length;
  }

  async close(): Promise<void> {
    const closed = [once(this.#udp, 'close'), once(this.#tcp, 'close')];
    this.#udp.close();
    this.#tcp.close();
    await Promise.all(closed);
  }

  #put(name: string, entry: Entry): void {
    const key = keyOf(name);
    this.#faults.delete(key);
    this.#zone.set(key, entry);
  }

  #handler(protocol: DnsQuestion['protocol']): DnsHandler {
    return (request, send) => {
      const [question] = request.questions;
      if (question === undefined) return;
      const asked: DnsQuestion = { name: keyOf(question.name), type: typeOf(question.type), protocol };
      this.questions.push(asked);
      const reply = this.#replyTo(asked);
      if (reply !== undefined) void send(write(request, reply, protocol) as unknown as Packet);
    };
  }

  /** `undefined`: silence. */
  #replyTo(asked: DnsQuestion): Reply | undefined {
    const fault = this.#faultOf(asked);
    switch (fault) {
      case 'SILENT':
        return undefined;
      case 'SERVFAIL':
      case 'REFUSED':
        return { code: Packet.RCODE[fault], answers: [] };
      case 'TRUNCATED':
        if (asked.protocol === 'udp') return { code: Packet.RCODE.NOERROR, answers: [], isTruncated: true };
        break;
    }
    return this.#answer(asked);
  }

  #faultOf({ name, type }: DnsQuestion): DnsFault | undefined {
    const known = this.#faults.get(name);
    return known?.types === undefined || known.types.includes(type) ? known?.fault : undefined;
  }

  #answer({ name, type }: DnsQuestion): Reply {
    const answers: Answer[] = [];
    let at = name;
    for (let count = 0; count < MAX_ALIASES; count += 1) {
      const entry = this.#zone.get(at);
      if (entry === undefined) {
        // A name with others below it exists, without records (RFC 8020).
        const hasNamesBelow = [...this.#zone.keys()].some((key) => key.endsWith(`.${at}`));
        return { code: hasNamesBelow ? Packet.RCODE.NOERROR : Packet.RCODE.NXDOMAIN, answers };
      }
      answers.push(...recordsOf(at, entry, type));
      if (entry.alias === undefined) break;
      at = entry.alias;
    }
    return { code: Packet.RCODE.NOERROR, answers };
  }
}

interface Reply {
  code: number;
  answers: Answer[];
  isTruncated?: boolean;
}

/** Without EDNS (RFC 1035 §4.2.1). */
const DEFAULT_UDP_BYTES = 512;

function write(request: Packet, { code, answers, isTruncated }: Reply, protocol: DnsQuestion['protocol']): Buffer {
  const flags = AUTHORITATIVE_ANSWER | RECURSION_AVAILABLE | code;
  const head = {
    type: 'response' as const,
    id: request.header.id,
    questions: request.questions.map(({ name, type }) => ({ name, type: Packet.TYPE_NAME[type] as 'A' })),
  };
  const truncated = { ...head, flags: flags | TRUNCATED_RESPONSE };
  if (isTruncated === true) return encode(truncated);
  const bytes = encode({ ...head, flags, answers });
  // The class of the OPT record (RFC 6891 §6.2.3).
  const option = request.additionals.find(({ type }) => type === Packet.TYPE.EDNS);
  const maxBytes = Math.max(option?.class ?? 0, DEFAULT_UDP_BYTES);
  return protocol === 'udp' && bytes.length > maxBytes ? encode(truncated) : bytes;
}

function recordsOf(name: string, { addresses, services, alias }: Entry, type: DnsQuestion['type']): Answer[] {
  const record = { name, ttl: TTL_SECONDS };
  if (alias !== undefined) return [{ ...record, type: 'CNAME', data: alias }];
  switch (type) {
    case 'A':
      return addresses.filter((address) => !isIPv6(address)).map((data) => ({ ...record, type, data }));
    case 'AAAA':
      return addresses.filter(isIPv6).map((data) => ({ ...record, type, data }));
    case 'SRV':
      return services.map(({ host, port, priority = 0, weight = 0 }) => ({
        ...record,
        type,
        data: { target: host, port, priority, weight },
      }));
    case 'other':
      return [];
  }
}

function typeOf(code: number): DnsQuestion['type'] {
  const { A, AAAA, SRV } = Packet.TYPE;
  return code === A ? 'A' : code === AAAA ? 'AAAA' : code === SRV ? 'SRV' : 'other';
}

function keyOf(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}
