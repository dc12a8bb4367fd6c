/**
 * A thread that sends the same GET again as soon as it has the whole response, over two connections in turn: quicker than the
 * process that it talks to.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { Agent, request } from 'undici';

export interface PollingData {
  url: string;
  path: string;
  allowH2: boolean;
  ca: string | undefined;
  count: number;
}

const { url, path, allowH2, ca, count } = workerData as PollingData;
const agents = [0, 1].map(() => new Agent({ connections: 1, allowH2, connect: ca === undefined ? {} : { ca } }));
for (let index = 0; index < count; index += 1) {
  const { body } = await request(`${url}${path}`, { dispatcher: agents[index % agents.length] as Agent });
  await body.dump();
}
for (const agent of agents) await agent.close();
parentPort?.postMessage('done');
