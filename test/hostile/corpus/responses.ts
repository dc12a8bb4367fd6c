/** What a hostile target sends in place of a response, and what the client of the request gets. */

export interface HostileResponse {
  readonly name: string;
  readonly method?: 'GET' | 'HEAD' | 'POST';
  /**
   * The bytes. `own` is a JSON body that names the request; `poison` a whole response that must never reach a client: it stands
   * for the response to the next request.
   */
  readonly bytes: (parts: { own: string; poison: string }) => string;
  /** What the target does after them. Default: it waits for the next request. */
  readonly ending?: Ending;
  /** When the bytes leave: as soon as the head of the request has arrived (the default), or once the connection is open. */
  readonly at?: 'connection';
  readonly expected: Received;
}

/** Of the connection, after the bytes. `poison` and `endless` send more, a little at a time. */
export type Ending = 'end' | 'reset' | 'silence' | 'poison' | 'endless headers' | 'endless interim responses';

export type Received =
  /** The response of the good target, to which the request was sent again. */
  | 'retried'
  /** The hostile target's response, whole. */
  | 'own'
  /** An error of the gateway: 502 or 504. */
  | 'failed'
  /** A part of the hostile target's response, and a broken connection. */
  | 'cut';

const OK = 'HTTP/1.1 200 OK\r\n';
const lengthOf = (text: string): string => `content-length: ${text.length}\r\n`;
const whole = (body: string, lines = ''): string => `${OK}${lines}${lengthOf(body)}\r\n${body}`;
const inChunks = (body: string): string => `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
const CHUNKED = 'transfer-encoding: chunked\r\n';

/** Rejected before the client has seen anything: another target serves the request. */
const UNCLEAR: readonly HostileResponse[] = (
  [
    [
      'two lengths that differ',
      ({ own, poison }) => `${OK}${lengthOf(own)}${lengthOf(own + poison)}\r\n${own}${poison}`,
    ],
    ['two lengths that agree', ({ own, poison }) => `${OK}${lengthOf(own)}${lengthOf(own)}\r\n${own}${poison}`],
    ['a list of lengths', ({ own }) => `${OK}content-length: ${own.length}, ${own.length}\r\n\r\n${own}`],
    ['a length with a plus', ({ own }) => `${OK}content-length: +${own.length}\r\n\r\n${own}`],
    ['a negative length', ({ poison }) => `${OK}content-length: -1\r\n\r\n${poison}`],
    ['a hexadecimal length', ({ own }) => `${OK}content-length: 0x${own.length.toString(16)}\r\n\r\n${own}`],
    ['an empty length', ({ own }) => `${OK}content-length:\r\n\r\n${own}`],
    ['a length above 2^64', ({ own }) => `${OK}content-length: 18446744073709551617\r\n\r\n${own}`],
    ['length and chunks', ({ own, poison }) => `${OK}${CHUNKED}content-length: 5\r\n\r\n${inChunks(own)}${poison}`],
    ['chunks and length', ({ own, poison }) => `${OK}content-length: 5\r\n${CHUNKED}\r\n${inChunks(own)}${poison}`],
    ['an unknown coding', ({ own }) => `${OK}transfer-encoding: xchunked\r\n\r\n${inChunks(own)}`],
    ['chunked, identity', ({ own }) => `${OK}transfer-encoding: chunked, identity\r\n\r\n${inChunks(own)}`],
    ['chunked twice', ({ own }) => `${OK}${CHUNKED}${CHUNKED}\r\n${inChunks(own)}`],
    ['an empty coding', ({ own }) => `${OK}transfer-encoding:\r\n\r\n${own}`],
    ['LF line ends', ({ own }) => `HTTP/1.1 200 OK\ncontent-length: ${own.length}\n\n${own}`],
    ['one LF line end', ({ own }) => `${OK}x: y\n${lengthOf(own)}\r\n${own}`],
    ['CR line ends', ({ own }) => `HTTP/1.1 200 OK\rcontent-length: ${own.length}\r\r${own}`],
    ['CR in a value', ({ own }) => whole(own, 'x: a\rb\r\n')],
    ['a folded header', ({ own }) => whole(own, 'x: a\r\n content-length: 5\r\n')],
    ['NUL in a value', ({ own }) => whole(own, 'x: a\0b\r\n')],
    ['a control character in a value', ({ own }) => whole(own, 'x: a\x01b\r\n')],
    ['a space in a name', ({ own }) => whole(own, 'x y: z\r\n')],
    ['a space before a colon', ({ own }) => `${OK}content-length : ${own.length}\r\n\r\n${own}`],
    ['a header without a colon', ({ own }) => whole(own, 'x\r\n')],
    ['a header without a name', ({ own }) => whole(own, ': x\r\n')],
    ['no status', ({ own }) => `HTTP/1.1\r\n${lengthOf(own)}\r\n${own}`],
    ['a status of 4 digits', ({ own }) => `HTTP/1.1 2000 OK\r\n${lengthOf(own)}\r\n${own}`],
    ['a status below 100', ({ own }) => `HTTP/1.1 099 OK\r\n${lengthOf(own)}\r\n${own}`],
    ['HTTP/2 in the status line', ({ own }) => `HTTP/2 200 OK\r\n${lengthOf(own)}\r\n${own}`],
    ['HTTP/0.9', ({ own }) => own],
    ['a response of another protocol', () => 'SSH-2.0-OpenSSH_9.9\r\n'],
    ['frames of HTTP/2', () => '\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x64\0\x04\0\x10\0\0\0\x06\0\0\x40\0'],
    [
      'a change of protocol',
      ({ poison }) => `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n${poison}`,
    ],
    [
      'an interim response with a body',
      ({ own, poison }) => `HTTP/1.1 100 Continue\r\n${lengthOf(own)}\r\n${own}${poison}`,
    ],
    ['a head of 1 MB', ({ own }) => whole(own, `${`x: ${'y'.repeat(1_000)}\r\n`.repeat(1_000)}`)],
    ['a status line of 1 MB', ({ own }) => `HTTP/1.1 200 ${'O'.repeat(1_000_000)}\r\n${lengthOf(own)}\r\n${own}`],
    ['a chunk size with a plus', ({ own }) => `${OK}${CHUNKED}\r\n+${own.length.toString(16)}\r\n${own}\r\n0\r\n\r\n`],
    ['a chunk size with 0x', ({ own }) => `${OK}${CHUNKED}\r\n0x${own.length.toString(16)}\r\n${own}\r\n0\r\n\r\n`],
    ['a chunk size of 2^64 + 5', ({ own }) => `${OK}${CHUNKED}\r\n10000000000000005\r\n${own}\r\n0\r\n\r\n`],
    ['a chunk that does not end in CR LF', ({ own }) => `${OK}${CHUNKED}\r\n5\r\n${own}\r\n0\r\n\r\n`],
    ['LF behind a chunk size', ({ own }) => `${OK}${CHUNKED}\r\n${own.length.toString(16)}\n${own}\r\n0\r\n\r\n`],
    [
      'LF in a chunk extension',
      ({ own }) => `${OK}${CHUNKED}\r\n${own.length.toString(16)};a\n\r\n${own}\r\n0\r\n\r\n`,
    ],
  ] satisfies [string, HostileResponse['bytes']][]
).map(([name, bytes]) => ({ name, bytes, expected: 'retried' }));

/** The target gives up, or never ends. */
const BROKEN: readonly HostileResponse[] = [
  { name: 'nothing, and the end', bytes: () => '', ending: 'end', expected: 'retried' },
  { name: 'nothing, and a reset', bytes: () => '', ending: 'reset', expected: 'retried' },
  { name: 'nothing, for good', bytes: () => '', ending: 'silence', expected: 'retried' },
  { name: 'half of a status line, and a reset', bytes: () => 'HTTP/1.1 20', ending: 'reset', expected: 'retried' },
  { name: 'half of a head, and the end', bytes: () => `${OK}content-le`, ending: 'end', expected: 'retried' },
  { name: 'half of a head, and silence', bytes: () => `${OK}content-le`, ending: 'silence', expected: 'retried' },
  {
    name: 'half of a body, and the end',
    bytes: ({ own }) => whole(own).slice(0, -5),
    ending: 'end',
    expected: 'retried',
  },
  {
    name: 'half of a body, and a reset',
    bytes: ({ own }) => whole(own).slice(0, -5),
    ending: 'reset',
    expected: 'retried',
  },
  {
    name: 'half of a body, and silence',
    bytes: ({ own }) => whole(own).slice(0, -5),
    ending: 'silence',
    expected: 'retried',
  },
  {
    name: 'chunks without the last, and the end',
    bytes: ({ own }) => `${OK}${CHUNKED}\r\n${inChunks(own).slice(0, -5)}`,
    ending: 'end',
    expected: 'retried',
  },
  {
    name: 'a chunk of 4 GB, and silence',
    bytes: ({ own }) => `${OK}${CHUNKED}\r\nffffffff\r\n${own}`,
    ending: 'silence',
    expected: 'retried',
  },
  { name: 'headers without an end', bytes: () => OK, ending: 'endless headers', expected: 'retried' },
  {
    name: 'interim responses without an end',
    bytes: () => '',
    ending: 'endless interim responses',
    expected: 'retried',
  },
  {
    name: 'half of a body that is streamed, and the end',
    bytes: () => `${OK}content-length: 50000\r\n\r\n${'s'.repeat(20_000)}`,
    ending: 'end',
    expected: 'cut',
  },
  {
    name: 'half of a body that is streamed, and a reset',
    bytes: () => `${OK}content-length: 50000\r\n\r\n${'s'.repeat(20_000)}`,
    ending: 'reset',
    expected: 'cut',
  },
  {
    name: 'a bad chunk in a body that is streamed',
    bytes: ({ poison }) => `${OK}${CHUNKED}\r\n5000\r\n${'s'.repeat(0x5000)}\r\nx\r\n${poison}`,
    expected: 'cut',
  },
];

/** The client gets the response; what follows it on the connection reaches no client. */
const POISONED: readonly HostileResponse[] = [
  { name: 'a second response at once', bytes: ({ own, poison }) => whole(own) + poison, expected: 'own' },
  { name: 'a second response later', bytes: ({ own }) => whole(own), ending: 'poison', expected: 'own' },
  {
    name: 'a second response behind chunks',
    bytes: ({ own, poison }) => `${OK}${CHUNKED}\r\n${inChunks(own)}${poison}`,
    expected: 'own',
  },
  {
    name: 'a body longer than its length',
    bytes: ({ own, poison }) => `${OK}${lengthOf(own)}\r\n${own}{}${poison}`,
    expected: 'own',
  },
  {
    name: 'a response that closes, and a second one',
    bytes: ({ own }) => whole(own, 'connection: close\r\n'),
    ending: 'poison',
    expected: 'own',
  },
  {
    name: 'a response of HTTP/1.0, and a second one',
    bytes: ({ own }) => whole(own).replace('1.1', '1.0'),
    ending: 'poison',
    expected: 'own',
  },
  {
    name: 'a response to HEAD with a body',
    method: 'HEAD',
    bytes: ({ poison }) => `${OK}${lengthOf(poison)}\r\n${poison}`,
    expected: 'own',
  },
  {
    name: 'a 204 with a body',
    bytes: ({ poison }) => `HTTP/1.1 204 No Content\r\n${lengthOf(poison)}\r\n${poison}`,
    expected: 'own',
  },
  {
    name: 'a 304 with a body',
    bytes: ({ poison }) => `HTTP/1.1 304 Not Modified\r\n${lengthOf(poison)}\r\n${poison}`,
    expected: 'own',
  },
  {
    name: 'a trailer with a length',
    bytes: ({ own, poison }) => `${OK}${CHUNKED}\r\n${inChunks(own).slice(0, -2)}${lengthOf(poison)}\r\n${poison}`,
    expected: 'own',
  },
  {
    name: 'a response to a body that has not arrived',
    method: 'POST',
    bytes: ({ own }) => whole(own),
    ending: 'poison',
    expected: 'own',
  },
  {
    name: 'a hint before the response',
    bytes: ({ own, poison }) => `HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n${whole(own)}${poison}`,
    expected: 'own',
  },
  {
    name: 'a body that the end of the connection ends',
    bytes: ({ own }) => `${OK}\r\n${own}`,
    ending: 'end',
    expected: 'own',
  },
];

export const RESPONSES: readonly HostileResponse[] = [...UNCLEAR, ...BROKEN, ...POISONED];
