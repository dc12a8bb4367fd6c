/** A consumer in the model: bridges hand records to it, and store its position. */
import type { Step } from '../explorer.ts';
import { wrongAnswer } from './bridge-steps.ts';
import { inside, mayAcknowledge, type Place, truth } from './cluster-log.ts';
import { isReported, translatedSince } from './replication.ts';
import { bridgeOf, type ClusterNumber, clusterOf, nameOf, type State, withCluster } from './state.ts';

export function consumerSteps(place: Place): Step<State>[] {
  const { state, number, bounds } = place;
  if (bounds.deliveryCount === 0) return [];
  const { cluster } = bridgeOf(state, number);
  if (!clusterOf(state, cluster).isUp) return [];
  const landed = lands(place, cluster);
  return mayAcknowledge(place) ? [...delivers(place, cluster), ...commits(place, cluster), ...landed] : landed;
}

function delivers(place: Place, cluster: ClusterNumber): Step<State>[] {
  const { state } = place;
  const { position, data } = clusterOf(state, cluster);
  const adopted = position === undefined ? adopts(place, cluster) : { state, position };
  const at = data.findIndex((id, offset) => offset >= adopted.position && id !== undefined);
  const id = data[at];
  const skipped = position === undefined ? skippedBefore(state, cluster, adopted.position) : undefined;
  const violation =
    wrongAnswer(place) ??
    (skipped === undefined ? undefined : `the consumer in ${nameOf(cluster)} skips record ${skipped}`);
  if (at < 0 || id === undefined || (state.deliveriesLeft === 0 && violation === undefined)) {
    return skipped === undefined ? [] : [inside(place, 'adopts the consumer', adopted.state, violation)];
  }
  const next = withCluster(adopted.state, cluster, { position: at + 1 });
  const delivered = [...new Set([...state.delivered, id])].sort((a, b) => a - b);
  const handed = { ...next, delivered, deliveriesLeft: state.deliveriesLeft - 1 };
  return [inside(place, `hands record ${id} to the consumer`, handed, violation)];
}

function adopts(place: Place, cluster: ClusterNumber): { state: State; position: number } {
  const { state, protocol } = place;
  const { saved } = clusterOf(state, cluster);
  if (saved.cluster === cluster) return { state, position: saved.position };
  const { point } = truth(state, cluster, protocol);
  const position = translatedSince(state, cluster, { position: saved.position, point, protocol });
  const own = { cluster, position, epoch: saved.epoch + 1 };
  return { state: withCluster(state, cluster, { saved: own }), position };
}

/** A record that the cluster has before the position, and that the consumer did not get. A saved tail is the operator's. */
function skippedBefore(state: State, cluster: ClusterNumber, position: number): number | undefined {
  const { acknowledged, delivered } = state;
  return clusterOf(state, cluster)
    .data.slice(0, position)
    .find((id) => id !== undefined && acknowledged.includes(id) && !delivered.includes(id) && !isReported(state, id));
}

function commits(place: Place, cluster: ClusterNumber): Step<State>[] {
  const { position, committing, saved } = clusterOf(place.state, cluster);
  if (position === undefined || committing !== undefined || position === saved.position) return [];
  const next = withCluster(place.state, cluster, { committing: position });
  return [inside(place, `commits ${position}`, next)];
}

/** Kafka stores the commit, whatever the bridge knows by then. */
function lands(place: Place, cluster: ClusterNumber): Step<State>[] {
  const { committing, saved } = clusterOf(place.state, cluster);
  if (committing === undefined) return [];
  const next = { committing: undefined, saved: { ...saved, cluster, position: committing } };
  return [inside(place, `has the commit of ${committing} stored`, withCluster(place.state, cluster, next))];
}
