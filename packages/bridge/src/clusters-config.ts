/** The configuration of a bridge whose Kafka is one of two clusters that stand in for each other. */
import { Choice, Entry, Section, type Static, Type } from '@causeway/config/schema.ts';
import {
  bootstrapServers,
  ClusterName,
  type ConfigFinding,
  checkConnection,
  KafkaSaslConfig,
  KafkaTlsConfig,
  milliseconds,
} from './kafka-config.ts';

export const ClustersConfig = Section(
  {
    peer: Type.Optional(
      Entry(
        {
          name: ClusterName('Its name, as its own bridges have it in kafka.cluster.', 'west'),
          bootstrapServers: bootstrapServers('Brokers that the bridge contacts first, as host:port.', '127.0.0.1:9192'),
          tls: KafkaTlsConfig,
          sasl: KafkaSaslConfig,
        },
        {
          description:
            'The other cluster: the bridge reads there who is active and how far the replication is, and writes there only to take over. Needs kafka.cluster.',
        },
      ),
    ),
    topics: Type.Array(Type.String({ minLength: 1 }), {
      description:
        "Regular expressions for the topics that replication copies, as in MirrorMaker's topics; each is compared with the whole name. A switch-over waits until they are copied, and the records of others are not counted as lost.",
      default: ['.*'],
      minItems: 1,
    }),
    leaseMs: milliseconds({
      description:
        'How long the bridge serves clients after its last look into the log of clusters, in milliseconds; a switch-over waits a fifth longer. Use the same value on all bridges of both clusters.',
      default: 1000,
      minimum: 100,
      maximum: 60_000,
    }),
    prefer: Choice(['availability', 'consistency'], {
      description:
        'What counts more while the clusters do not reach each other. availability: the active cluster serves as long as it knows of no promotion of the other one. consistency: it serves only while it reads the log of the other one, so that never both of them do. Use the same value on all bridges of both clusters.',
      default: 'availability',
    }),
    switchOverTimeoutMs: milliseconds({
      description:
        'How long clients wait in an orderly switch-over until the replication has everything, in milliseconds; then the cluster that was active serves on.',
      default: 10_000,
    }),
  },
  { description: 'Two Kafka clusters that stand in for each other, of which one is active (kafka.cluster).' },
);

export type ClustersConfig = Static<typeof ClustersConfig>;
export type PeerConfig = NonNullable<ClustersConfig['peer']>;

/** Whether a topic's whole name matches one of the patterns, such as `clusters.topics`. */
export function matchesTopic(topics: readonly string[]): (topic: string) => boolean {
  const patterns = topics.map(wholeName);
  return (topic) => patterns.some((pattern) => pattern.test(topic));
}

/** Patterns that are no regular expressions. */
export function checkTopicPatterns(topics: readonly string[], path: readonly string[]): ConfigFinding[] {
  return topics.flatMap((text, index): ConfigFinding[] => {
    try {
      wholeName(text);
      return [];
    } catch (error) {
      return [{ path: [...path, index], reason: error instanceof Error ? error.message : String(error) }];
    }
  });
}

/** Errors: `SyntaxError`. */
function wholeName(text: string): RegExp {
  return new RegExp(`^(?:${text})$`);
}

/** What the schema cannot say. `own`: `kafka.cluster`. */
export function checkClustersConfig(
  { peer, prefer, topics }: ClustersConfig,
  own: string | undefined,
): ConfigFinding[] {
  const problems = checkTopicPatterns(topics, ['clusters', 'topics']);
  if (peer === undefined) {
    if (prefer === 'consistency') {
      problems.push({ path: ['clusters', 'prefer'], reason: 'consistency needs clusters.peer, whose log is read' });
    }
    return problems;
  }
  if (own === undefined)
    problems.push({ path: ['clusters', 'peer'], reason: 'needs kafka.cluster, the name of this one' });
  if (peer.name === own) {
    problems.push({
      path: ['clusters', 'peer', 'name'],
      reason: `${own} is kafka.cluster, too: the other one needs another name`,
    });
  }
  return [...problems, ...checkConnection(peer, ['clusters', 'peer'])];
}
