/** The headers that gateways and bridges add for each other. Clients never see nor set them. */

/** Every header of ours begins so; gateways strip such headers from anyone who is not a trusted peer. */
export const CAUSEWAY_PREFIX = 'causeway-';

/**
 * The secret of the system (`trust.secret`), by which gateways show on every request to their targets that they are gateways.
 * It is in no log and no answer, and no process passes on one that it was sent.
 */
export const SECRET_HEADER = 'causeway-secret';

/**
 * The gateways that a request has passed, oldest first, comma-separated: `name`, or `region/name` for a gateway that
 * stands in a region.
 */
export const GATEWAY_HEADER = 'causeway-gateway';

/**
 * Of a bridge's answer to a gateway: which bridge answered, as `region/bridge`. On answers to probes it tells a gateway
 * who stands behind an address, on a consumer's answers who owns the consumer.
 */
export const BRIDGE_HEADER = 'causeway-bridge';

/**
 * Of an answer >= 500 to a gateway: what is at fault, where that is not the target that answers. No breaker counts it.
 *
 * {@link FAULT_OF_REQUEST}: what was asked cannot be done here or elsewhere (an illegal topic name, a topic that exists
 * already, a partition that does not exist). {@link FAULT_OF_KAFKA}: the bridge's Kafka does not answer; another region
 * helps only if it has another Kafka ({@link KAFKA_CLUSTER_HEADER}).
 */
export const FAULT_HEADER = 'causeway-fault';
export const FAULT_OF_REQUEST = 'request';
export const FAULT_OF_KAFKA = 'kafka';

/** On 421 (RFC 9110 §15.5.20): who owns the consumer, as `region/bridge`. Without it nobody does: it was released. */
export const OWNER_HEADER = 'causeway-owner';

/** On a repeated request: the owners that the gateway could not reach, as `region/bridge`, comma-separated. */
export const FAILED_HEADER = 'causeway-failed';

/**
 * On a consumer's request to its owner: the consumer is to live elsewhere. The owner commits what it delivered, releases
 * the consumer, and answers 421 without {@link OWNER_HEADER}. The value says why: `drain` or `return`.
 */
export const RELEASE_HEADER = 'causeway-release';

/**
 * On a consumer's requests: the mark ({@link DELIVERY_HEADER}) of the last answer with records that this gateway handed to
 * the client completely, or {@link NOTHING_DELIVERED}. The gateway in front of the client says so, with the next request or,
 * when none comes soon, with a request of its own ({@link DELIVERED_PATH}). A bridge does not take what nobody confirms
 * for delivered: the gateway may have died with the answer.
 */
export const DELIVERED_HEADER = 'causeway-delivered';
export const NOTHING_DELIVERED = '0';

/** Of an answer with records to a gateway that confirms ({@link DELIVERED_HEADER}): its mark, see {@link formatDelivery}. */
export const DELIVERY_HEADER = 'causeway-delivery';

/** After a consumer's path: `POST` confirms a delivery; answered 204 whatever is known of the consumer. */
export const DELIVERED_PATH = '/causeway-delivered';

/** How long a gateway waits for the client's next request before it confirms a delivery by a request of its own. */
export const CONFIRM_AFTER_MS = 200;
/** How long a bridge waits for a confirmation before an answer counts as lost: the gateway's wait, and the way. */
export const CONFIRMATION_TIMEOUT_MS = 500;

export interface Delivery {
  /** Tells the answers of one consumer apart. */
  mark: string;
  /** The client uses several gateways in turn: the next request comes through another one, and would wait. */
  isAwaited: boolean;
}

export function formatDelivery({ mark, isAwaited }: Delivery): string {
  return isAwaited ? `${mark};now` : mark;
}

export function parseDelivery(text: string): Delivery {
  const [mark = '', word] = text.split(';', 2);
  return { mark, isAwaited: word === 'now' };
}

/** A bridge, as a consumer's owner. */
export interface BridgeIdentity {
  readonly region: string;
  readonly name: string;
}

export function formatBridge({ region, name }: BridgeIdentity): string {
  return `${region}/${name}`;
}

const BRIDGE = /^([A-Za-z0-9._-]+)\/([A-Za-z0-9._-]+)$/;

/** `region/bridge`; `undefined` for anything else. */
export function parseBridge(text: string | undefined): BridgeIdentity | undefined {
  const [, region, name] = BRIDGE.exec(text ?? '') ?? [];
  return region === undefined || name === undefined ? undefined : { region, name };
}

/** The entries of a comma-separated header. */
export function parseList(header: string | undefined): string[] {
  if (header === undefined) return [];
  return header
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
}

/** One entry of {@link GATEWAY_HEADER}. */
export interface GatewayHop {
  /** Absent for a tier-1 gateway, which stands above the regions. */
  region: string | undefined;
  name: string;
}

/** The entry that a gateway appends. */
export function formatHop({ region, name }: GatewayHop): string {
  return region === undefined ? name : `${region}/${name}`;
}

/** The hops of a {@link GATEWAY_HEADER} value; none when there is no header. */
export function parseHops(header: string | undefined): GatewayHop[] {
  return parseList(header).map((entry) => {
    const slash = entry.indexOf('/');
    return slash === -1
      ? { region: undefined, name: entry }
      : { region: entry.slice(0, slash), name: entry.slice(slash + 1) };
  });
}

/**
 * Of an answer to a gateway's probe: whether Kafka answers, `up` or `down`. A regional gateway says it of its own region's
 * bridges, in their own words and never in those of other gateways, and `degraded` where it answers some.
 */
export const KAFKA_HEADER = 'causeway-kafka';

/**
 * Of an answer to a gateway's probe: which Kafka serves behind the target, as the id of its cluster. Of a regional gateway
 * it is what its own region's bridges say, where they all say the same.
 */
export const KAFKA_CLUSTER_HEADER = 'causeway-kafka-cluster';

/** Of an answer to a gateway's probe: how long ago Kafka last answered there, in milliseconds. */
export const KAFKA_ANSWERED_HEADER = 'causeway-kafka-answered';

/**
 * How many targets were lost while the request was under way on them, so that it may be why: on a request, before it was
 * sent to this one; on a gateway's error, behind that gateway.
 */
export const SUSPECT_HEADER = 'causeway-suspect';

/**
 * On what a gateway asks in an operator's name, and not in a client's: who asks, as in {@link GATEWAY_HEADER}. Gateways
 * pass it on for nobody whom they do not trust.
 */
export const OPERATOR_HEADER = 'causeway-operator';

/** `GET` lists the consumers of a bridge, for gateways that show {@link OPERATOR_HEADER}; query `filter`, `limit`. */
export const SESSIONS_PATH = '/causeway-sessions';
