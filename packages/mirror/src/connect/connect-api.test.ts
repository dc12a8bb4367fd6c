import { expect, onTestFinished, test } from 'vitest';
import { startUpstream, type Upstream, type UpstreamHandler } from '../../../../test/harness/upstream.ts';
import { ConnectApi } from './connect-api.ts';

async function worker(handle: UpstreamHandler): Promise<Upstream> {
  const upstream = await startUpstream(handle);
  onTestFinished(() => upstream.kill());
  return upstream;
}

const respond =
  (status: number, body: unknown): UpstreamHandler =>
  (_, response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };

const info = (className: string, aliases: Record<string, string> = {}) => ({
  info: {
    config: {
      'connector.class': className,
      'source.cluster.alias': 'east',
      'target.cluster.alias': 'west',
      ...aliases,
    },
  },
});

test("MirrorMaker's connectors are found by their class, also by its short names", async () => {
  const { url, requests } = await worker(
    respond(200, {
      a: info('org.apache.kafka.connect.mirror.MirrorSourceConnector'),
      b: info('MirrorCheckpoint'),
      c: info('MirrorSource', { 'source.cluster.alias': 'west', 'target.cluster.alias': 'east' }),
      sink: info('io.example.JdbcSinkConnector'),
      own: info('io.example.OwnMirrorSourceConnector'),
    }),
  );
  expect(await new ConnectApi([url], undefined).mirrorConnectors()).toEqual([
    { name: 'a', isSource: true, source: 'east', target: 'west' },
    { name: 'b', isSource: false, source: 'east', target: 'west' },
    { name: 'c', isSource: true, source: 'west', target: 'east' },
  ]);
  expect(requests[0]).toMatchObject({ method: 'GET', url: '/connectors?expand=info' });
  expect(requests[0]?.headers.authorization).toBeUndefined();
});

test('a request goes to the next worker if one does not respond, with the user and with the name as it is', async () => {
  const dead = await startUpstream();
  await dead.kill();
  const { url, requests } = await worker(respond(200, { message: 'done' }));
  const offsets = [{ partition: { cluster: 'east', topic: 't', partition: 0 }, offset: { offset: 4 } }];
  await new ConnectApi([dead.url, url], 'ann:secret').alterOffsets('a/b c', offsets);
  expect(requests).toHaveLength(1);
  expect(requests[0]).toMatchObject({
    method: 'PATCH',
    url: '/connectors/a%2Fb%20c/offsets',
    headers: { authorization: 'Basic YW5uOnNlY3JldA==', 'content-type': 'application/json' },
    body: JSON.stringify({ offsets }),
  });
  await expect(new ConnectApi([dead.url], undefined).stop('a')).rejects.toThrow(
    `No worker of Kafka Connect responds at ${dead.url} (connection refused)`,
  );
});

test.each<[number, unknown, string]>([
  [
    409,
    { error_code: 409, message: 'a rebalance is in process' },
    'Kafka Connect is busy at URL: a: a rebalance is in process',
  ],
  [404, { error_code: 404, message: 'Unknown connector a' }, 'Kafka Connect refuses at URL: a: Unknown connector a'],
  [401, 'Unauthorized', 'Kafka Connect refuses at URL: a: status 401'],
])('a response %i is a sentence', async (status, body, sentence) => {
  const { url } = await worker(respond(status, body));
  await expect(new ConnectApi([url], undefined).resume('a')).rejects.toThrow(sentence.replace('URL', url));
});

test('a connector that has never run has no status', async () => {
  const { url } = await worker(respond(404, { error_code: 404, message: 'No status found for connector a' }));
  expect(await new ConnectApi([url], undefined).status('a')).toBeUndefined();
});
