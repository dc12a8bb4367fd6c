import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { BridgeProcess } from '../../../test/harness/bridge-process.ts';
import { connectAtOnce } from '../../../test/harness/crowd.ts';
import { KafkaView, unique } from '../../../test/harness/kafka-view.ts';
import { until } from '../../../test/harness/until.ts';

let kafka: KafkaView;
let directory: string;

beforeAll(async () => {
  kafka = await KafkaView.connect(inject('kafkaBootstrap'));
  directory = mkdtempSync(join(tmpdir(), 'causeway-bridge-'));
});

afterAll(async () => {
  await kafka.close();
  rmSync(directory, { recursive: true, force: true });
});

function configFile(text: string): string {
  const name = `${unique('bridge')}.yaml`;
  writeFileSync(join(directory, name), text);
  return name;
}

const VALID = `
bridge: { name: b, region: east }
listen: { port: 0 }
kafka: { bootstrapServers: ["\${BOOTSTRAP}"], sessionTimeoutMs: 6000 }
`;

test('--check validates a file without starting the bridge', async () => {
  const good = configFile(VALID);
  const ok = new BridgeProcess(directory, ['--config', good, '--check'], { BOOTSTRAP: '127.0.0.1:1' });
  const bad = configFile(`${VALID}producer: { akcs: all }\n`);
  const refused = new BridgeProcess(directory, ['--config', bad, '--check'], { BOOTSTRAP: '127.0.0.1:1' });
  const aimless = new BridgeProcess(directory, []);
  expect(await ok.exitCode()).toBe(0);
  expect(ok.stdout).toBe(`${good}: ok\n`);
  expect(await refused.exitCode()).toBe(1);
  expect(refused.stderr).toMatch(/bridge-.*\.yaml:5: producer\.akcs: unknown key/);
  expect(await aimless.exitCode()).toBe(2);
  expect(aimless.stderr).toContain('Usage: npm run bridge -- --config FILE [--check]');
});

test('--help prints the usage, and exits with 0', async () => {
  const helped = new BridgeProcess(directory, ['--help']);
  expect(await helped.exitCode()).toBe(0);
  expect(helped.stdout).toContain('Usage: npm run bridge -- --config FILE [--check]');
  expect(helped.stderr).toBe('');
});

test('files of certificates and secrets that cannot be used are reported with key, line and reason', async () => {
  writeFileSync(join(directory, 'not.pem'), 'this is not a certificate');
  writeFileSync(join(directory, 'empty'), '\n');
  const file = configFile(`bridge: { name: b, region: east }
kafka:
  bootstrapServers: ["127.0.0.1:1"]
  tls: { isEnabled: true, caFile: nowhere.pem, certFile: not.pem, keyFile: not.pem }
  sasl: { mechanism: PLAIN, username: u, passwordFile: empty }
`);
  const refused = new BridgeProcess(directory, ['--config', file, '--check']);
  expect(await refused.exitCode()).toBe(1);
  expect(refused.stderr.trim().split('\n')).toEqual([
    `${join(directory, file)}:4: kafka.tls.caFile: nowhere.pem cannot be read: there is no such file`,
    `${join(directory, file)}:4: kafka.tls.certFile: not.pem has no certificate in PEM format`,
    `${join(directory, file)}:5: kafka.sasl.passwordFile: empty is empty`,
  ]);
});

test('SIGTERM stops it in order: polls get responses, records are stored, received records committed, consumers handed over, no connection reset', async () => {
  const bridge = new BridgeProcess(directory, ['--config', configFile(VALID)], { BOOTSTRAP: inject('kafkaBootstrap') });
  const url = await bridge.url();
  await until('it is ready', async () => (await fetch(`${url}/ready`)).status === 200);
  const topic = await kafka.topic();
  const group = unique('group');
  await kafka.write(topic, [{ value: '1' }]);
  const headers = { 'content-type': 'application/json' };
  const path = `${url}/consumers/${group}/instances/c`;
  const post = (target: string, body: object) => fetch(target, { method: 'POST', headers, body: JSON.stringify(body) });
  await post(`${url}/consumers/${group}`, { name: 'c', format: 'json', 'auto.offset.reset': 'earliest' });
  await post(`${path}/subscription`, { topics: [topic] });
  expect(await (await fetch(`${path}/records?timeout=20000`)).json()).toHaveLength(1);

  const waiting = fetch(`${path}/records?timeout=60000`);
  // And one without records.
  const quietGroup = unique('group');
  const quietPath = `${url}/consumers/${quietGroup}/instances/q`;
  await post(`${url}/consumers/${quietGroup}`, { name: 'q' });
  await post(`${quietPath}/subscription`, { topics: [await kafka.topic()] });
  const quiet = fetch(`${quietPath}/records?timeout=60000`);
  await until('the first response is committed', async () => (await kafka.committed(group, topic))[0] === 1);
  const producing = new ClosedLoopProducer(url, topic);
  await until('it produces', () => producing.storedCount > 20);
  bridge.child.kill('SIGTERM');
  const startedAtMs = performance.now();
  expect(await (await quiet).json()).toEqual([]);
  // Far from its 60 s.
  expect(performance.now() - startedAtMs).toBeLessThan(20_000);
  const poll = await waiting;
  // All records so far, or none: but a response.
  expect(poll.status).toBe(200);
  expect(await poll.json()).toBeInstanceOf(Array);
  expect(await bridge.exitCode()).toBe(0);
  await producing.finished;
  expect(producing.errors.filter((code) => code !== 'ECONNREFUSED')).toEqual([]);
  // No later request confirms that the client received this response: another bridge delivers it again.
  expect(await kafka.committed(group, topic)).toEqual([1]);
  // The group keeps the member, for the bridge that continues with it.
  expect(await kafka.members(group)).toEqual(['c']);
  const [end] = await kafka.admin.fetchTopicOffsets(topic);
  expect(Number(end?.high)).toBe(1 + producing.storedCount);
  // On a new Kafka the topic of the session log is just being created.
  const ofTheStart = ['bridge ready', 'session log read', 'session log not readable'];
  expect(bridge.log.map(({ msg }) => String(msg)).filter((msg) => !ofTheStart.includes(msg))).toEqual([
    'bridge started',
    'consumer created',
    'consumer created',
    'bridge stopping',
    'consumer released',
    'consumer released',
    'bridge stopped',
  ]);
  expect(bridge.stderr).toBe('');
});

test('clients that connect at once wait for a busy bridge, and need not connect again', async () => {
  const bridge = new BridgeProcess(directory, ['--config', configFile(VALID)], { BOOTSTRAP: '127.0.0.1:1' });
  const url = await bridge.url();
  bridge.child.kill('SIGSTOP');
  // More than Node's default backlog (511).
  const crowd = await connectAtOnce(url, 1000, 60_000);
  crowd.close();
  expect(crowd.connectedCount).toBe(1000);
});

test('a burst of clients with large bodies is refused before memory grows', async () => {
  const file = configFile(`${VALID}producer: { maxBlockMs: 1000 }\nlimits: { maxInFlightBytes: 16777216 }\n`);
  const bridge = new BridgeProcess(directory, ['--config', file], { BOOTSTRAP: '127.0.0.1:1' });
  const url = await bridge.url();
  const residentBytes = async (): Promise<number> => {
    const text = await (await fetch(`${url}/metrics`)).text();
    return Number(/^process_resident_memory_bytes (\S+)$/m.exec(text)?.[1]);
  };
  const body = Buffer.from(JSON.stringify({ records: new Array(7).fill({ value: 'x'.repeat(1_000_000) }) }));
  const head = `POST /topics/t HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`;
  const beforeBytes = await residentBytes();
  let peakBytes = 0;
  /** Sends everything but the last byte, and that when the others have done so too: 420 MB together. */
  const clients = Array.from({ length: 60 }, () => connect(Number(new URL(url).port), '127.0.0.1'));
  const answers = clients.map(async (socket) => String((await once(socket, 'data'))[0]));
  const sentAll = clients.map((socket) => {
    socket.write(head);
    return new Promise((resolve) => socket.write(body.subarray(0, -1), resolve));
  });
  await Promise.all(sentAll);
  peakBytes = await residentBytes();
  for (const socket of clients) socket.write(body.subarray(-1));
  const statuses = await Promise.all(
    answers.map(async (answer) => {
      const status = (await answer).slice(9, 12);
      peakBytes = Math.max(peakBytes, await residentBytes());
      return status;
    }),
  );
  for (const socket of clients) socket.destroy();
  expect(new Set(statuses)).toEqual(new Set(['200', '503']));
  expect(peakBytes).toBeGreaterThan(beforeBytes);
  // Room for the held bytes, parsed and encoded, and for garbage that is not collected yet.
  expect(peakBytes - beforeBytes).toBeLessThan(300_000_000);
});

test.each([['no option'], ['--check']])(
  'a certificate that cannot be used is reported with its line at the start, with %s',
  async (option) => {
    const file = configFile(VALID.replace('port: 0', 'port: 0, tls: { certFile: nowhere.crt, keyFile: nowhere.key }'));
    const bridge = new BridgeProcess(directory, ['--config', file, ...(option === '--check' ? [option] : [])], {
      BOOTSTRAP: '127.0.0.1:1',
    });
    expect(await bridge.exitCode()).toBe(1);
    expect(bridge.stderr).toMatch(
      /bridge-.*\.yaml:3: listen\.tls\.certFile: nowhere\.crt cannot be read: there is no such file/,
    );
  },
);

/** One record after the other over one connection, until none can be opened any more. */
class ClosedLoopProducer {
  storedCount = 0;
  readonly errors: (string | undefined)[] = [];
  readonly finished: Promise<void>;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #target: string;

  constructor(url: string, topic: string) {
    this.#target = `${url}/topics/${topic}`;
    this.finished = this.#run();
  }

  async #run(): Promise<void> {
    while (this.errors.length === 0) {
      try {
        const text = await this.#send();
        if (text.includes('"offset":')) this.storedCount += 1;
        else this.errors.push(text);
      } catch (error) {
        this.errors.push((error as NodeJS.ErrnoException).code);
      }
    }
    this.#agent.destroy();
  }

  #send(): Promise<string> {
    return new Promise((resolve, reject) => {
      const options = { method: 'POST', agent: this.#agent, headers: { 'content-type': 'application/json' } };
      const sent = request(this.#target, options, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk) => {
          text += chunk;
        });
        response.on('end', () => resolve(text));
        response.on('error', reject);
      });
      sent.on('error', reject);
      sent.end('{"records":[{"value":"v"}]}');
    });
  }
}
