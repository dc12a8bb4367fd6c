/** A format with schemas, which exists in tests alone: values are stored as an array of their members, in the order of a schema. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { BridgeError } from '@causeway/bridge/errors.ts';
import type { Codec, SchemaFormat } from '@causeway/bridge/formats/codec.ts';
import { onTestFinished } from 'vitest';

const HEAD_BYTES = 5;
const WRITTEN_WITH = 2;

export interface Registry {
  url: string;
  /** Of requests. */
  asked: string[];
  /** Settled before each response; may be replaced. */
  gate: Promise<unknown>;
  /** Of its responses, instead of 200. */
  failure: number | undefined;
}

/**
 * A registry of schemas over HTTP, which ends with the test: a schema is the names of an object's members in the order in which they are
 * stored.
 */
export async function startRegistry(schemas: Record<number, string[]>): Promise<Registry> {
  const registry: Registry = { url: '', asked: [], gate: Promise.resolve(), failure: undefined };
  const server = createServer(async (request, response) => {
    const path = request.url ?? '';
    registry.asked.push(path);
    await registry.gate;
    const schema = schemas[Number(path.slice(1))];
    response.writeHead(registry.failure ?? (schema === undefined ? 404 : 200)).end(JSON.stringify(schema));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  registry.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return registry;
}

/** Values as a zero byte, the id of their schema in four bytes, and a JSON array of their members. */
export function positionalFormat(url: string): SchemaFormat {
  const schemaOf = async (id: number): Promise<[number, string[]]> => {
    const response = await fetch(`${url}/${id}`);
    if (response.status !== 404 && !response.ok) throw new Error(`the registry responds ${response.status}`);
    if (!response.ok) throw new BridgeError('recordUndecodable', { message: `Failed to decode: no schema ${id}` });
    return [id, (await response.json()) as string[]];
  };
  return {
    async prepare(_topic, schemaIds) {
      const ids = schemaIds.size === 0 ? [WRITTEN_WITH] : [...schemaIds];
      return positionalCodec(new Map(await Promise.all(ids.map(schemaOf))));
    },
    schemaIdOf: (bytes, start, end) => (end - start > HEAD_BYTES ? bytes.readUInt32BE(start + 1) : undefined),
  };
}

function positionalCodec(schemas: ReadonlyMap<number, readonly string[]>): Codec {
  return {
    encode({ bytes, start, end }) {
      const value = JSON.parse(bytes.toString('utf8', start, end)) as Record<string, unknown>;
      const members = schemas.get(WRITTEN_WITH) ?? [];
      if (typeof value !== 'object' || members.some((name) => !(name in value))) return undefined;
      const head = Buffer.alloc(HEAD_BYTES);
      head.writeUInt32BE(WRITTEN_WITH, 1);
      return Buffer.concat([head, Buffer.from(JSON.stringify(members.map((name) => value[name])))]);
    },
    refusal: (_text, { name, index }) =>
      new BridgeError('invalidValue', { message: `The ${name} does not fit its schema (record ${index})` }),
    decode(bytes) {
      const members = schemas.get(bytes.readUInt32BE(1)) ?? [];
      const values = JSON.parse(bytes.toString('utf8', HEAD_BYTES)) as unknown[];
      return JSON.stringify(Object.fromEntries(members.map((name, index) => [name, values[index]])));
    },
  };
}
