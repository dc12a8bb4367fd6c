/** Changes a Kafka's users and loggers by its protocol: each run of Kafka's own tool takes a processor for two seconds. */
import { pbkdf2Sync, randomBytes } from 'node:crypto';
import {
  alterUserScramCredentialsV0,
  ConfigResourceTypes,
  type Connection,
  ConnectionPool,
  IncrementalAlterConfigOperationTypes,
  incrementalAlterConfigsV1,
} from '@platformatic/kafka';

const SCRAM = {
  'SCRAM-SHA-256': { code: 1, hash: 'sha256', bytes: 32 },
  'SCRAM-SHA-512': { code: 2, hash: 'sha512', bytes: 64 },
} as const;
/** The fewest that brokers accept. */
const ITERATIONS = 4096;

export type ScramMechanism = keyof typeof SCRAM;

export interface ScramUser {
  username: string;
  password: string;
  mechanism: ScramMechanism;
}

/** Creates a user, or changes its password. `broker`: `host:port` of a listener whose clients have all rights. */
export async function setScramUser(broker: string, { username, password, mechanism }: ScramUser): Promise<void> {
  const { code, hash, bytes } = SCRAM[mechanism];
  const salt = randomBytes(16);
  const saltedPassword = pbkdf2Sync(password, salt, ITERATIONS, bytes, hash);
  const user = { name: username, mechanism: code, iterations: ITERATIONS, salt, saltedPassword };
  await withConnection(broker, (connection) => alterUserScramCredentialsV0.api.async(connection, [], [user]));
}

/** Until the broker starts again. */
export async function setLogLevel(
  { id, port }: { id: number; port: number },
  logger: string,
  level: string,
): Promise<void> {
  const change = { name: logger, configOperation: IncrementalAlterConfigOperationTypes.SET, value: level };
  const resource = { resourceType: ConfigResourceTypes.BROKER_LOGGER, resourceName: String(id), configs: [change] };
  await withConnection(`127.0.0.1:${port}`, (connection) =>
    incrementalAlterConfigsV1.api.async(connection, [resource], false),
  );
}

async function withConnection(broker: string, use: (connection: Connection) => Promise<unknown>): Promise<void> {
  const pool = new ConnectionPool('test');
  try {
    const [host = '', port] = broker.split(':');
    await use(await pool.get({ host, port: Number(port) }));
  } finally {
    await pool.close();
  }
}
