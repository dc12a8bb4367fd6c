/**
 * Parses HTTP/1.1 as bytes on a connection, as strictly as the RFCs allow: what two servers could read differently is a fault.
 * Deliberately apart from Node's parser and from the gateway's own, which it judges.
 */

export interface WireMessage {
  readonly startLine: string;
  /** Names in lower case, in their order. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

export interface Wire {
  readonly messages: readonly WireMessage[];
  /** What is not canonical; parsing ends at the first. */
  readonly fault: string | undefined;
  /** Bytes of a message that is not complete. */
  readonly rest: string;
}

export interface ResponseMessage extends WireMessage {
  readonly status: number;
}

const REQUEST_LINE = /^[A-Z]+ [\x21-\x7e\x80-\xff]+ HTTP\/1\.1$/;
const STATUS_LINE = /^HTTP\/1\.1 ([1-5]\d\d) [\t\x20-\x7e]*$/;
const FIELD = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ?([\t\x20-\x7e\x80-\xff]*)$/;
/** Headers of one connection, which a gateway must not pass on. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'upgrade',
  'http2-settings',
]);

class Fault extends Error {}

/** Requests, as a gateway may write them. */
export function parseRequests(text: string): Wire {
  return parse(text, (head, rest) => {
    if (!REQUEST_LINE.test(head.startLine)) throw new Fault(`request line ${JSON.stringify(head.startLine)}`);
    const hosts = head.headers.filter(([name]) => name === 'host');
    if (hosts.length !== 1) throw new Fault(`${hosts.length} hosts`);
    const hop = head.headers.find(([name]) => HOP_BY_HOP.has(name));
    if (hop !== undefined) throw new Fault(`the header ${hop[0]} of another connection`);
    return bodyOf(head, rest, 0);
  });
}

/** Responses to one client. `isHead`: the first one has no body, whatever its length. */
export function parseResponses(
  text: string,
  { isHead = false } = {},
): Wire & { responses: readonly ResponseMessage[] } {
  let count = 0;
  const wire = parse(text, (head, rest) => {
    const status = statusOf(head);
    if (status < 200) return ['', rest];
    count += 1;
    if (status === 204 || status === 304 || (isHead && count === 1)) return ['', rest];
    return bodyOf(head, rest, undefined);
  });
  const responses = wire.messages
    .map((message) => ({ ...message, status: statusOf(message) }))
    .filter(({ status }) => status >= 200);
  return { ...wire, responses };
}

type Head = Omit<WireMessage, 'body'>;
/** Takes a body from the bytes behind a head; `undefined` when more bytes are needed. */
type TakeBody = (head: Head, rest: string) => [body: string, rest: string] | undefined;

function parse(text: string, takeBody: TakeBody): Wire {
  const messages: WireMessage[] = [];
  let rest = text;
  try {
    while (rest !== '') {
      const end = rest.indexOf('\r\n\r\n');
      if (end === -1) break;
      const head = headOf(rest.slice(0, end));
      const taken = takeBody(head, rest.slice(end + 4));
      if (taken === undefined) break;
      messages.push({ startLine: head.startLine, headers: head.headers, body: taken[0] });
      rest = taken[1];
    }
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { messages, fault: `${error.message} in ${JSON.stringify(rest.slice(0, 300))}`, rest };
  }
  return { messages, fault: undefined, rest };
}

function headOf(text: string): Head {
  const [startLine = '', ...lines] = text.split('\r\n');
  const headers = lines.map((line) => {
    const match = FIELD.exec(line);
    if (match === null) throw new Fault(`header ${JSON.stringify(line)}`);
    return [(match[1] as string).toLowerCase(), match[2] as string] as const;
  });
  return { startLine, headers };
}

function statusOf({ startLine }: Pick<WireMessage, 'startLine'>): number {
  const match = STATUS_LINE.exec(startLine);
  if (match === null) throw new Fault(`status line ${JSON.stringify(startLine)}`);
  return Number(match[1]);
}

/** `defaultLength`: of a message with neither length nor coding; `undefined`: such a message is a fault. */
function bodyOf(
  { headers }: Head,
  rest: string,
  defaultLength: number | undefined,
): [body: string, rest: string] | undefined {
  const lengths = headers.filter(([name]) => name === 'content-length').map(([, value]) => value);
  const codings = headers.filter(([name]) => name === 'transfer-encoding').map(([, value]) => value);
  if (lengths.length + codings.length > 1) throw new Fault(`framings ${[...lengths, ...codings].join(' and ')}`);
  const [coding] = codings;
  if (coding !== undefined) {
    if (coding !== 'chunked') throw new Fault(`transfer coding ${coding}`);
    return chunksOf(rest);
  }
  const [text = defaultLength === undefined ? undefined : String(defaultLength)] = lengths;
  if (text === undefined) throw new Fault('no framing');
  if (!/^(?:0|[1-9]\d*)$/.test(text)) throw new Fault(`length ${text}`);
  const length = Number(text);
  return rest.length < length ? undefined : [rest.slice(0, length), rest.slice(length)];
}

function chunksOf(text: string): [body: string, rest: string] | undefined {
  let body = '';
  let rest = text;
  for (;;) {
    const end = rest.indexOf('\r\n');
    if (end === -1) return undefined;
    const line = rest.slice(0, end);
    if (!/^[0-9a-f]+$/i.test(line)) throw new Fault(`chunk size ${JSON.stringify(line)}`);
    const size = Number.parseInt(line, 16);
    if (rest.length < end + 2 + size + 2) return undefined;
    const data = rest.slice(end + 2, end + 2 + size);
    if (rest.slice(end + 2 + size, end + 4 + size) !== '\r\n')
      throw new Fault('a chunk longer than its size, or a trailer');
    body += data;
    rest = rest.slice(end + 4 + size);
    if (size === 0) return [body, rest];
  }
}
