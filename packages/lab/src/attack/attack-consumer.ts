/** A consumer of the attacker, through the public API. */
import { RECORDS } from '@causeway/protocol/content-types.ts';
import { instancePath } from '@causeway/protocol/paths.ts';
import type { Scene } from './attack.ts';
import type { Reply } from './attack-client.ts';

/** Added to a poll's own timeout. */
const ANSWER_TIMEOUT_MS = 60_000;

export class AttackConsumer {
  readonly path: string;
  readonly group: string;
  readonly name: string;
  readonly #scene: Scene;

  private constructor(scene: Scene, group: string, name: string) {
    this.#scene = scene;
    this.group = group;
    this.name = name;
    this.path = instancePath(group, name);
  }

  /** Errors: when the system refuses. */
  static async create(
    scene: Scene,
    name: string,
    { group = `attack-${scene.id}`, ...options }: { group?: string } & Record<string, unknown> = {},
  ): Promise<AttackConsumer> {
    const consumer = new AttackConsumer(scene, group, name);
    const reply = await scene.client.ask({
      path: `/consumers/${encodeURIComponent(group)}`,
      body: { name, format: 'json', 'auto.offset.reset': 'earliest', ...options },
    });
    if (reply.status !== 200) throw new Error(`no consumer: ${describe(reply)}`);
    return consumer;
  }

  /** A consumer that has joined its group and waits for records of the attack's empty topic. */
  static async idle(scene: Scene, name: string, options: Record<string, unknown> = {}): Promise<AttackConsumer> {
    const consumer = await AttackConsumer.create(scene, name, options);
    await consumer.post('/subscription', { topics: [scene.topic] });
    for (let attempt = 0; attempt < 20; attempt += 1) if ((await consumer.poll(1_000)).status === 200) return consumer;
    throw new Error('an idle consumer is not answered');
  }

  poll(timeoutMs: number): Promise<Reply> {
    return this.#scene.client.ask({
      path: `${this.path}/records?timeout=${timeoutMs}`,
      headers: { accept: RECORDS.json },
      timeoutMs: timeoutMs + ANSWER_TIMEOUT_MS,
    });
  }

  post(subPath: string, body?: unknown): Promise<Reply> {
    return this.#scene.client.ask({ method: 'POST', path: `${this.path}${subPath}`, body });
  }

  delete(): Promise<Reply> {
    return this.#scene.client.ask({ method: 'DELETE', path: this.path });
  }
}

/** A response in a few words. */
export function describe({ status, text, failure, tookMs }: Reply): string {
  return `${failure ?? `${status} ${text.slice(0, 120)}`} after ${Math.round(tookMs)} ms`;
}
