/** Bodies of requests and responses: a schema and its media types. */
import { KAFKA_V2, RECORDS } from '../content-types.ts';

export interface Content {
  readonly schema: object;
  readonly types: readonly string[];
}

export interface RequestBody extends Content {
  readonly isOptional?: boolean;
  /** The body holds records and may be large. Bodies of other operations are small. */
  readonly holdsRecords?: boolean;
}

export const JSON_TYPE = 'application/json';
export const RECORD_TYPES: readonly string[] = Object.values(RECORDS);

export const v2 = (schema: object): Content => ({ schema, types: [KAFKA_V2] });
export const plain = (schema: object): Content => ({ schema, types: [JSON_TYPE] });
export const consumerBody = (schema: object): RequestBody => ({ schema, types: [KAFKA_V2, JSON_TYPE] });
export const optionalConsumerBody = (schema: object): RequestBody => ({ ...consumerBody(schema), isOptional: true });
export const recordsBody = (schema: object): RequestBody => ({
  schema,
  types: [...RECORD_TYPES, JSON_TYPE],
  holdsRecords: true,
});
