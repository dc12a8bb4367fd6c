/** The headers that gateways and bridges send to each other. Clients neither see nor set them. */

/** The prefix of all these headers. Gateways strip headers with it from requests of untrusted peers. */
export const CAUSEWAY_PREFIX = 'causeway-';

/**
 * The secret of the system (`trust.secret`). Gateways send it with every request to prove that they are gateways. It appears in
 * no log and no response, and no process forwards a secret that it received.
 */
export const SECRET_HEADER = 'causeway-secret';

/**
 * The gateways that a request has passed, oldest first, comma-separated: `name` for a tier-1 gateway, `region/name` for a
 * regional one.
 */
export const GATEWAY_HEADER = 'causeway-gateway';

/**
 * In a bridge's response to a gateway: the bridge, as `region/bridge`. In responses to probes it identifies the bridge at an
 * address; in responses to a consumer's requests it names the owner.
 */
export const BRIDGE_HEADER = 'causeway-bridge';

/**
 * In a response >= 500 to a gateway: the fault, where it is not the target's own. Breakers ignore such a response.
 *
 * {@link FAULT_OF_REQUEST}: the request cannot succeed at any target (an illegal topic name, a topic that exists already, a
 * partition that does not exist). {@link FAULT_OF_KAFKA}: the bridge's Kafka does not respond; another region helps only if
 * it has another Kafka ({@link KAFKA_CLUSTER_HEADER}).
 */
export const FAULT_HEADER = 'causeway-fault';
export const FAULT_OF_REQUEST = 'request';
export const FAULT_OF_KAFKA = 'kafka';

/** On 421 (RFC 9110 §15.5.20): the owner of the consumer, as `region/bridge`. Absent after a release: it has no owner. */
export const OWNER_HEADER = 'causeway-owner';

/** On a repeated request: the owners that the gateway could not reach, as `region/bridge`, comma-separated. */
export const FAILED_HEADER = 'causeway-failed';

/**
 * On a consumer's request to its owner: asks the owner to release the consumer. The owner commits what it delivered, releases
 * the consumer, and responds 421 without {@link OWNER_HEADER}. The value is the reason: `drain` or `return`.
 */
export const RELEASE_HEADER = 'causeway-release';

/**
 * On a consumer's requests: the mark ({@link DELIVERY_HEADER}) of the last response with records that this gateway delivered
 * to the client completely, or {@link NOTHING_DELIVERED}. Sent by the gateway that the client is connected to, with the client's
 * next request, or with a request of its own if none comes soon ({@link DELIVERED_PATH}). A bridge does not count an unconfirmed
 * response as delivered: the gateway may have died with it.
 */
export const DELIVERED_HEADER = 'causeway-delivered';
export const NOTHING_DELIVERED = '0';

/** In a response with records to a gateway that confirms ({@link DELIVERED_HEADER}): its mark, see {@link formatDelivery}. */
export const DELIVERY_HEADER = 'causeway-delivery';

/** Follows a consumer's path: `POST` confirms a delivery. */
export const DELIVERED_PATH = '/causeway-delivered';

/** How long a gateway waits for the client's next request before it confirms a delivery with a request of its own. */
export const CONFIRM_AFTER_MS = 200;
/** How long a bridge waits for a confirmation before a response counts as lost: the gateway's wait, plus the way to the bridge. */
export const CONFIRMATION_TIMEOUT_MS = 500;

export interface Delivery {
  /** Identifies a response among those of one consumer. */
  mark: string;
  /** The client uses several gateways in turn: its next request comes through another one, and waits for the confirmation. */
  isAwaited: boolean;
}

export function formatDelivery({ mark, isAwaited }: Delivery): string {
  return isAwaited ? `${mark};now` : mark;
}

export function parseDelivery(text: string): Delivery {
  const [mark = '', word] = text.split(';', 2);
  return { mark, isAwaited: word === 'now' };
}

/** A bridge as the owner of a consumer. */
export interface BridgeIdentity {
  readonly region: string;
  readonly name: string;
}

export function formatBridge({ region, name }: BridgeIdentity): string {
  return `${region}/${name}`;
}

const BRIDGE = /^([A-Za-z0-9._-]+)\/([A-Za-z0-9._-]+)$/;

/** Parses `region/bridge`; `undefined` for other texts. */
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
  /** Absent for a tier-1 gateway. */
  region: string | undefined;
  name: string;
}

/** The entry that a gateway appends. */
export function formatHop({ region, name }: GatewayHop): string {
  return region === undefined ? name : `${region}/${name}`;
}

/** Parses {@link GATEWAY_HEADER}; empty without a header. */
export function parseHops(header: string | undefined): GatewayHop[] {
  return parseList(header).map((entry) => {
    const slash = entry.indexOf('/');
    return slash === -1
      ? { region: undefined, name: entry }
      : { region: entry.slice(0, slash), name: entry.slice(slash + 1) };
  });
}

/**
 * In a response to a probe: whether Kafka responds, `up` or `down`. A regional gateway summarizes what the bridges of its own
 * region report, never what other gateways report, and sends `degraded` if Kafka responds to some of them.
 */
export const KAFKA_HEADER = 'causeway-kafka';

/**
 * In a response to a probe: the Kafka behind the target, as its cluster id. A regional gateway sends the id that the bridges of
 * its own region report, if they agree.
 */
export const KAFKA_CLUSTER_HEADER = 'causeway-kafka-cluster';

/** In a response to a probe: how long ago Kafka last responded to the target, in milliseconds. */
export const KAFKA_ANSWERED_HEADER = 'causeway-kafka-answered';

/**
 * How many targets were lost while the request was in flight on them, so that it may be the cause. On a request: targets
 * before this one. On a gateway's error: targets behind that gateway.
 */
export const SUSPECT_HEADER = 'causeway-suspect';

/**
 * On requests of a gateway on behalf of an operator, not of a client: the gateway, as in {@link GATEWAY_HEADER}. Gateways strip
 * it from requests of untrusted peers.
 */
export const OPERATOR_HEADER = 'causeway-operator';

/**
 * On requests that a gateway relays to the admin API of another: who asked, from where, and the gateways on the way. It counts
 * only beside the token of an operator.
 */
export const ASKED_BY_HEADER = 'causeway-asked-by';

/** `GET` lists the consumers of a bridge, for gateways that send {@link OPERATOR_HEADER}; query `filter`, `limit`. */
export const SESSIONS_PATH = '/causeway-sessions';

/**
 * The principal of the client, as a gateway authenticated it ({@link formatPrincipal}). Gateways strip it from requests of
 * untrusted peers; bridges believe it from gateways only. Absent: no gateway authenticates clients.
 */
export const PRINCIPAL_HEADER = 'causeway-principal';

/**
 * The topics that the principal may use in this operation, beside the one in the path: `formatTopicFilter`. A bridge checks names in bodies
 * with it, and lists and matches patterns against no others. Absent: all topics.
 */
export const TOPICS_HEADER = 'causeway-topics';

/**
 * On a bridge's response to a gateway that sent a principal or topics: the bridge has applied them, so that the gateway may pass the response
 * on. Its value says nothing.
 */
export const ENFORCED_HEADER = 'causeway-enforced';

/** On `createConsumer`: how many consumers the principal may have in the whole system. Absent: any number. */
export const MAX_CONSUMERS_HEADER = 'causeway-max-consumers';

/**
 * On a poll: how large a response the gateways on the way can hold, in bytes, so that they can ask again when the target dies in the
 * middle. The bridge ends its response before; a single record that is larger comes alone. Each gateway lowers it to its own limit.
 */
export const MAX_RESPONSE_BYTES_HEADER = 'causeway-max-response-bytes';
