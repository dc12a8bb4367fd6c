/** Clients that impersonate gateways, operators or other clients, and requests that loop. */
import { RECORDS } from '@causeway/protocol/content-types.ts';
import {
  DELIVERED_HEADER,
  FAILED_HEADER,
  GATEWAY_HEADER,
  OPERATOR_HEADER,
  OWNER_HEADER,
  RELEASE_HEADER,
  SESSIONS_PATH,
} from '@causeway/protocol/routing.ts';
import type { Attack } from '../attack.ts';
import { AttackClient } from '../attack-client.ts';
import { AttackConsumer, describe } from '../attack-consumer.ts';
import { Findings, pause } from '../pace.ts';

/** Headers between gateways, written by a client. */
const FORGERIES: readonly Record<string, string>[] = [
  { [GATEWAY_HEADER]: 'tier1', [RELEASE_HEADER]: 'drain' },
  { [GATEWAY_HEADER]: 'tier1, west/gateway', [FAILED_HEADER]: 'east/bridge, west/bridge' },
  { [GATEWAY_HEADER]: 'east/gateway', [DELIVERED_HEADER]: '0' },
  { [OWNER_HEADER]: 'west/bridge', [FAILED_HEADER]: 'east/bridge' },
  { 'causeway-suspect': '1', 'causeway-secret': 'guess', [OPERATOR_HEADER]: 'tier1' },
];
const FORWARDED = {
  'x-forwarded-host': 'evil.example',
  'x-forwarded-prefix': '/evil',
};

const INTERNAL_TOPICS = ['__causeway_sessions', '__consumer_offsets', '__transaction_state'];

export const TRUST: readonly Attack[] = [
  {
    name: 'forged-headers',
    title: 'headers of gateways, operators and proxies, at tier-1 and behind it',
    claim: 'no list of consumers, no consumer moved, no foreign base_uri',
    isShort: true,
    async play(scene) {
      const found = new Findings();
      const victim = await AttackConsumer.idle(scene, 'victim');
      const clients = [scene.tier1, ...scene.behind].map((address) => ({
        ...address,
        client: new AttackClient(address),
      }));
      for (let round = 0; round === 0 || (!scene.signal.aborted && round < 20); round += 1) {
        for (const { name, client, tls } of clients) {
          const forgedScheme = tls === undefined ? 'https' : 'http';
          const listed = await client.ask({ path: SESSIONS_PATH, headers: { [OPERATOR_HEADER]: 'tier1' } });
          found.expect(
            listed.status === 404,
            `${name}: status ${listed.status} for a forged operator`,
            describe(listed),
          );
          // Behind tier-1 a consumer moves to the bridge that gets a request for it: the forged headers do not cause that.
          if (name === scene.tier1.name)
            for (const forgery of FORGERIES) {
              const path = `${victim.path}/records?timeout=50`;
              const reply = await client.ask({ path, headers: { accept: RECORDS.json, ...forgery } });
              found.expect(reply.status === 200, `a forged poll: status ${reply.status}`, describe(reply));
            }
          const created = await client.ask({
            path: `/consumers/attack-${scene.id}`,
            headers: {
              ...FORWARDED,
              'x-forwarded-proto': forgedScheme,
              forwarded: `host=evil.example;proto=${forgedScheme}`,
            },
            body: { name: `base-${name.replaceAll(' ', '-')}-${round}` },
          });
          found.expect(created.status === 200, `${name} did not create a consumer`, describe(created));
          const isForeign = created.text.includes('evil') || created.text.includes(`"${forgedScheme}:`);
          found.expect(!isForeign, `${name} used a forged host`, created.text);
        }
        await pause(300, scene.signal);
      }
      for (const { client } of clients) client.close();
      await victim.delete();
      return found.list();
    },
  },
  {
    name: 'internal-topics',
    title: 'consumers of the session log and of Kafka’s own topics',
    claim: 'no record of them is delivered',
    isShort: true,
    async play(scene) {
      const found = new Findings();
      const tries: [string, unknown][] = INTERNAL_TOPICS.flatMap((topic): [string, unknown][] => [
        ['/subscription', { topics: [topic] }],
        ['/subscription', { topic_pattern: `${topic.slice(0, 3)}.*` }],
        ['/assignments', { partitions: [{ topic, partition: 0 }] }],
      ]);
      for (const [index, [path, body]] of tries.entries()) {
        const format = 'binary';
        const consumer = await AttackConsumer.create(scene, `curious-${index}`, {
          format,
          group: `curious-${index}-${scene.id}`,
        });
        await consumer.post(path, body);
        for (let round = 0; round < 3; round += 1) {
          const reply = await scene.client.ask({
            path: `${consumer.path}/records?timeout=500`,
            headers: { accept: RECORDS.binary },
          });
          const isEmpty = reply.status !== 200 || reply.text === '[]';
          found.expect(isEmpty, `${JSON.stringify(body)} delivers records`, describe(reply));
        }
        await consumer.delete();
      }
      return found.list();
    },
  },
  {
    name: 'admin-host',
    title: 'the admin API by a foreign Host, and through a loop of regions',
    claim: 'a foreign Host is refused, and a loop ends with 508',
    isShort: true,
    async play(scene) {
      const found = new Findings();
      for (const admin of scene.admins) {
        const client = new AttackClient(admin);
        const rebound = await client.ask({ path: '/api/topology', headers: { host: 'evil.example' } });
        found.expect([403, 421].includes(rebound.status), `foreign Host: status ${rebound.status}`, describe(rebound));
        const circle = '/api/regions/east/regions/west'.concat('/regions/east/regions/west'.repeat(20));
        const reply = await client.ask({ path: `${circle}/topology` });
        found.expect([400, 404, 508].includes(reply.status), `a loop: status ${reply.status}`, describe(reply));
        client.close();
      }
      const hops = Array.from({ length: 250 }, (_, index) => `1.1 gateway-${index}`).join(', ');
      const reply = await scene.client.ask({ path: '/topics', headers: { via: hops, 'max-forwards': '0' } });
      found.expect([200, 508].includes(reply.status), `a forged Via: status ${reply.status}`, describe(reply));
      return found.list();
    },
  },
];
