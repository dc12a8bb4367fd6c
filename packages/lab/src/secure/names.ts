/** Who is who in a secure lab: the names in certificates, and the users of Kafka. */
import { REGION_NAMES } from '../stack/regions.ts';

/** The common name of brokers' certificates. */
export const BROKER_NAME = 'kafka';

/** The lab itself, as a user of Kafka. */
export const KAFKA_ADMIN = 'admin';
/** Each bridge, as a user of Kafka. */
export const BRIDGE_USERS: readonly string[] = REGION_NAMES.map((region) => `${region}-bridge`);

/** Programs that listen. */
export const SERVERS: readonly string[] = [
  'tier1',
  ...REGION_NAMES.flatMap((region) => [`${region}-gateway`, `${region}-bridge`]),
];

/** The lab's own programs, as clients of the others: no `trust.peers` has them. */
export const LAB_CLIENT = 'lab';

/** The SPIFFE ids of programs that connect to others. `trust.peers` in config/secure names them. */
export const CLIENT_IDS: Readonly<Record<string, string>> = {
  tier1: 'spiffe://causeway.lab/tier1',
  ...Object.fromEntries(REGION_NAMES.map((region) => [`${region}-gateway`, `spiffe://causeway.lab/${region}/gateway`])),
  [LAB_CLIENT]: 'spiffe://causeway.lab/lab',
};
