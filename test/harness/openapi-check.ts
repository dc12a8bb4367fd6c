/** Checks that an OpenAPI document has the status and body of a response. */
import type { Operation } from '@causeway/protocol/operations/table.ts';
import { parseUrl } from '@causeway/protocol/paths.ts';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

/** A response to check. */
export interface CheckedAnswer {
  status: number;
  /** `Content-Type`. */
  type: string | undefined;
  text: string;
  /** Parsed; `undefined` if the body is not JSON. */
  json: unknown;
}

/** The parts of an OpenAPI document that tests read. */
export interface OpenApiDocument {
  paths: Record<string, Record<string, OperationObject>>;
  components: { schemas: Record<string, object> };
}

export interface OperationObject {
  operationId: Operation;
  parameters: { name: string; in: 'path' | 'query' | 'header'; required: boolean; schema: object }[];
  requestBody?: { required: boolean; content: Record<string, { schema: object }> };
  responses: Record<string, { content?: Record<string, { schema: object }> }>;
}

/** An operation with its method and path. */
export interface DocumentedOperation extends OperationObject {
  method: string;
  /** With parameters in braces. */
  path: string;
}

export function operationsOf({ paths }: OpenApiDocument): DocumentedOperation[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ ...operation, method: method.toUpperCase(), path })),
  );
}

const DOCUMENT_ID = 'bridge';

export class OpenApiCheck {
  readonly #operations: ReadonlyMap<Operation, DocumentedOperation>;
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true });
  readonly #validators = new Map<string, ValidateFunction>();
  readonly #seen: Set<string>;

  /** Adds every `operation status` that is checked to `seen`. */
  constructor(document: OpenApiDocument, seen: Set<string> = new Set()) {
    this.#seen = seen;
    this.#operations = new Map(operationsOf(document).map((operation) => [operation.operationId, operation]));
    addFormats.default(this.#ajv);
    this.#ajv.addSchema({ $id: DOCUMENT_ID, ...document });
  }

  /** Every `operation status` that the document has. */
  get documented(): string[] {
    return [...this.#operations.values()].flatMap(({ operationId, responses }) =>
      Object.keys(responses).map((status) => `${operationId} ${status}`),
    );
  }

  /** How a response differs from the document; empty if it fits, or if the API has no such operation. */
  problems({ method, target }: { method: string; target: string }, answer: CheckedAnswer): string[] {
    const operation = this.#operations.get(parseUrl(method, target).operation);
    if (operation === undefined) return [];
    const { operationId, responses } = operation;
    this.#seen.add(`${operationId} ${answer.status}`);
    const response = responses[answer.status];
    if (response === undefined) return [`${operationId} does not document ${answer.status}: ${answer.text}`];
    const { type } = answer;
    // A response to HEAD has no body.
    if (method === 'HEAD') return [];
    if (response.content === undefined) {
      if (answer.text === '' && type === undefined) return [];
      return [`${operationId} ${answer.status} documents no body, and has one: ${type} ${answer.text}`];
    }
    // Parameters (`charset`, `version`) are not part of the document's key.
    const documentedType = type?.split(';')[0] ?? '';
    if (response.content[documentedType] === undefined) {
      return [`${operationId} ${answer.status} does not document the type ${type}`];
    }
    const validate = this.#validator(operation, answer.status, documentedType);
    if (validate(answer.json ?? answer.text)) return [];
    const errors = this.#ajv.errorsText(validate.errors);
    return [`${operationId} ${answer.status}: ${errors} in ${answer.text.slice(0, 1000)}`];
  }

  #validator({ method, path }: DocumentedOperation, status: number, type: string): ValidateFunction {
    const pointer = ['paths', path, method.toLowerCase(), 'responses', String(status), 'content', type, 'schema']
      .map((name) => encodeURIComponent(name.replaceAll('~', '~0').replaceAll('/', '~1')))
      .join('/');
    let validator = this.#validators.get(pointer);
    if (validator === undefined) {
      validator = this.#ajv.compile({ $ref: `${DOCUMENT_ID}#/${pointer}` });
      this.#validators.set(pointer, validator);
    }
    return validator;
  }
}
