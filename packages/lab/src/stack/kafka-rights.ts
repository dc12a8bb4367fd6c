/** What a bridge may do in Kafka: the rights that docs/configuration.md lists, and no others. */
import kafkajs from 'kafkajs';
import { independentClient, type KafkaAccess } from './kafka-client.ts';

const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs;

export type Operation = 'ALL' | 'READ' | 'WRITE' | 'CREATE' | 'DESCRIBE' | 'DESCRIBE_CONFIGS';

export interface Right {
  resource: 'TOPIC' | 'GROUP' | 'TRANSACTIONAL_ID';
  /** `*`: all of them. */
  name: string;
  /** `PREFIXED`: for every name that begins with it. */
  pattern: 'LITERAL' | 'PREFIXED';
  operations: readonly Operation[];
}

/** For clients that use any topic and any group. A company names its own, or their prefixes. */
export const BRIDGE_RIGHTS: readonly Right[] = [
  { resource: 'TOPIC', name: '*', pattern: 'LITERAL', operations: ['READ', 'WRITE', 'CREATE', 'DESCRIBE_CONFIGS'] },
  { resource: 'GROUP', name: '*', pattern: 'LITERAL', operations: ['READ'] },
  // For produce requests with keys, which are stored in transactions.
  { resource: 'TRANSACTIONAL_ID', name: 'causeway-answers-', pattern: 'PREFIXED', operations: ['WRITE'] },
];

/** Errors: those of kafkajs. */
export async function grantRights(access: KafkaAccess, users: readonly string[]): Promise<void> {
  const admin = independentClient(access).admin();
  await admin.connect();
  try {
    await admin.createAcls({ acl: users.flatMap((user) => BRIDGE_RIGHTS.flatMap((right) => entriesOf(user, right))) });
  } finally {
    await admin.disconnect();
  }
}

/** Entries of Kafka's ACLs. */
export function entriesOf(user: string, { resource, name, pattern, operations }: Right) {
  return operations.map((operation) => ({
    resourceType: AclResourceTypes[resource],
    resourceName: name,
    resourcePatternType: ResourcePatternTypes[pattern],
    principal: `User:${user}`,
    host: '*',
    operation: AclOperationTypes[operation],
    permissionType: AclPermissionTypes.ALLOW,
  }));
}
