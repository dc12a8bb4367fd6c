/** Where the fields of a record batch are (format 2), in bytes from its beginning: https://kafka.apache.org/documentation/#recordbatch */

/** Bytes of a batch before those that its length counts: first offset (8), length (4). */
export const PREFIX_BYTES = 12;
export const LENGTH_AT = 8;
export const LEADER_EPOCH_AT = 12;
export const MAGIC_AT = 16;
export const CRC_AT = 17;
/** The checksum covers all bytes from here. */
export const ATTRIBUTES_AT = 21;
export const LAST_OFFSET_DELTA_AT = 23;
export const FIRST_TIMESTAMP_AT = 27;
export const MAX_TIMESTAMP_AT = 35;
export const PRODUCER_ID_AT = 43;
export const PRODUCER_EPOCH_AT = 51;
export const FIRST_SEQUENCE_AT = 53;
export const RECORD_COUNT_AT = 57;
/** Bits of the attributes. */
export const TRANSACTIONAL = 1 << 4;
export const CONTROL = 1 << 5;
/** Bytes of a batch before its records. */
export const HEAD_BYTES = 61;
