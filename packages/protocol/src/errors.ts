/** The error body of the REST API. Bridges and gateways send the same one. */
import { type Static, Type } from 'typebox';

export const ErrorBody = Type.Object(
  {
    error_code: Type.Integer({ description: 'Equals the HTTP status.' }),
    message: Type.String(),
    validation_errors: Type.Optional(Type.Array(Type.String(), { description: 'Only for schema violations.' })),
  },
  { $id: 'Error', title: 'Error' },
);

export type ErrorBody = Static<typeof ErrorBody>;
