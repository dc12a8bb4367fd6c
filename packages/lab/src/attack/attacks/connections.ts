/** Connections that abuse the server: pipelining, endless bodies, responses that the client does not read. */
import { RECORDS } from '@causeway/protocol/content-types.ts';
import type { Attack, Scene } from '../attack.ts';
import { RawConnection } from '../attack-client.ts';
import { describe } from '../attack-consumer.ts';
import { Findings, inParallel, pause, times } from '../pace.ts';

const MIB = 2 ** 20;
const HOST = 'host: attack.example\r\n';

function open(scene: Scene, count: number, options?: { isReading: boolean }): RawConnection[] {
  return times(count, () => new RawConnection(scene.tier1, options));
}

function destroyAll(connections: readonly RawConnection[]): void {
  for (const connection of connections) connection.destroy();
}

export const CONNECTIONS: readonly Attack[] = [
  {
    name: 'pipelining',
    title: '4,000 requests on one connection, all at once',
    claim: 'they are served in order, one after the other',
    isShort: true,
    async play(scene) {
      const found = new Findings();
      const count = 4_000;
      const requests = times(count, (index) => {
        const body = JSON.stringify({ records: [{ value: { n: index } }] });
        return `POST /topics/${scene.topic}/partitions/0 HTTP/1.1\r\n${HOST}content-type: ${RECORDS.json}\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
      });
      const connection = new RawConnection(scene.tier1);
      await connection.write(requests.join(''));
      await pause(scene.durationMs, scene.signal);
      connection.destroy();
      const offsets = [...connection.received.matchAll(/"offset":(\d+)/g)].map(([, offset]) => Number(offset));
      found.expect(offsets.length > 0, 'no response', connection.received.slice(0, 200));
      const swapped = offsets.findIndex((offset, index) => offset !== (offsets[0] ?? 0) + index);
      found.expect(
        swapped === -1,
        'requests were executed out of order',
        `response ${swapped} has ${offsets[swapped]}`,
      );
      return found.list();
    },
  },
  {
    name: 'stalled-uploads',
    title: '800 clients that stop before the last byte of 1 MiB',
    claim: 'the gateway holds a bounded part of it, and serves the others',
    allowed: { growthBytes: 700 * MIB },
    async play(scene) {
      const head = `POST /topics/${scene.topic} HTTP/1.1\r\n${HOST}content-type: ${RECORDS.json}\r\ncontent-length: ${MIB}\r\n\r\n`;
      const body = Buffer.alloc(MIB - 1, 0x20);
      const connections: RawConnection[] = [];
      const opening = inParallel(
        times(800, (index) => index),
        16,
        async () => {
          if (scene.signal.aborted) return;
          const connection = new RawConnection(scene.tier1);
          connections.push(connection);
          await connection.write(head);
          // Bytes that the system does not accept wait, as with a slow client.
          await Promise.race([connection.write(body), pause(1_000, scene.signal)]);
        },
      );
      await opening;
      await pause(scene.durationMs, scene.signal);
      destroyAll(connections);
      return [];
    },
  },
  {
    name: 'never-read',
    title: '300 clients that request megabytes and read nothing',
    claim: 'the gateway holds a bounded part of the responses, and serves the others',
    allowed: { growthBytes: 700 * MIB },
    async play(scene) {
      const request = `GET /openapi HTTP/1.1\r\n${HOST}\r\n`.repeat(40);
      const connections = open(scene, 300, { isReading: false });
      await Promise.all(connections.map((connection) => connection.write(request)));
      await pause(scene.durationMs, scene.signal);
      destroyAll(connections);
      return [];
    },
  },
  {
    name: 'slowloris',
    title: '500 connections that send their headers a byte a second',
    claim: 'others are served meanwhile',
    async play(scene) {
      const connections = open(scene, 500);
      await Promise.all(connections.map((connection) => connection.write(`GET /topics HTTP/1.1\r\n${HOST}x-slow: `)));
      while (!scene.signal.aborted) {
        for (const connection of connections) void connection.write('a');
        await pause(1_000, scene.signal);
      }
      destroyAll(connections);
      return [];
    },
  },
  {
    name: 'half-closed',
    title: 'clients that end their side after the request, and clients that leave in the middle',
    claim: 'each client that ended its side gets its response',
    isShort: true,
    async play(scene) {
      const found = new Findings();
      while (!scene.signal.aborted) {
        const connections = open(scene, 50);
        for (const connection of connections) {
          void connection.write(`GET /topics HTTP/1.1\r\n${HOST}\r\n`);
          connection.finish();
        }
        const leaving = open(scene, 20);
        for (const connection of leaving)
          void connection.write(`POST /topics/x HTTP/1.1\r\n${HOST}content-length: 50\r\n\r\n{`);
        await Promise.all(connections.map(({ closed }) => Promise.race([closed, pause(10_000, scene.signal)])));
        if (scene.signal.aborted) break;
        for (const { received } of connections) {
          found.expect(received.startsWith('HTTP/1.1 200'), 'half-closed, and no answer', received.slice(0, 100));
        }
        destroyAll(leaving);
        await pause(200, scene.signal);
      }
      return found.list();
    },
  },
  {
    name: 'unread-body',
    title: '20 MB to a path that does not exist, by a client that reads when it has sent all',
    claim: 'each reads its 404 or 413',
    async play(scene) {
      const found = new Findings();
      const body = Buffer.alloc(20 * MIB, 0x78);
      while (!scene.signal.aborted) {
        const connection = new RawConnection(scene.tier1);
        await connection.write(`POST /nope HTTP/1.1\r\n${HOST}content-length: ${body.length}\r\n\r\n`);
        await Promise.race([connection.write(body), pause(10_000, scene.signal)]);
        await Promise.race([connection.closed, pause(10_000, scene.signal)]);
        const isAnswered = /^HTTP\/1\.1 4(04|13)/.test(connection.received);
        if (!scene.signal.aborted) found.expect(isAnswered, 'the answer was lost', connection.received.slice(0, 100));
        connection.destroy();
        await pause(200, scene.signal);
      }
      return found.list();
    },
  },
  {
    name: 'odd-methods',
    title: 'PROPFIND, TRACE, CONNECT and methods that HTTP does not have',
    claim: 'each is 405 or 501 at tier-1, with a body',
    async play(scene) {
      const found = new Findings();
      for (const method of ['PROPFIND', 'MKCOL', 'TRACE', 'PURGE', 'QUERY', 'FOO', 'PATCH', 'LOCK']) {
        const connection = new RawConnection(scene.tier1);
        await connection.write(`${method} /topics HTTP/1.1\r\n${HOST}connection: close\r\n\r\n`);
        await Promise.race([connection.closed, pause(5_000, scene.signal)]);
        const isRefused = /^HTTP\/1\.1 (405|501)/.test(connection.received);
        found.expect(isRefused, `${method} not refused`, connection.received.slice(0, 100));
        connection.destroy();
      }
      const reply = await scene.client.ask({ path: '/topics?%zz' });
      found.expect(reply.status === 400, `?%zz: status ${reply.status}`, describe(reply));
      return found.list();
    },
  },
];
