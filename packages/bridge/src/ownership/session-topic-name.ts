/** The topic of the session log; internal, as Kafka's own: not listed, and closed to clients. */
export const SESSION_TOPIC = '__causeway_sessions';
