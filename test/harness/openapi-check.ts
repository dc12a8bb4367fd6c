/** Compares answers with an OpenAPI document: the status is documented for the operation, and so is the body. */
import { type Operation, parseUrl } from '@causeway/protocol/paths.ts';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

/** An answer to be checked. */
export interface CheckedAnswer {
  status: number;
  /** `Content-Type`. */
  type: string | undefined;
  text: string;
  /** Parsed; `undefined` when the body is not JSON. */
  json: unknown;
}

/** As much of an OpenAPI document as its readers here need. */
export interface OpenApiDocument {
  paths: Record<string, Record<string, OperationObject>>;
  components: { schemas: Record<string, object> };
}

export interface OperationObject {
  operationId: Operation;
  parameters: { name: string; in: 'path' | 'query'; required: boolean; schema: object }[];
  requestBody?: { required: boolean; content: Record<string, { schema: object }> };
  responses: Record<string, { content?: Record<string, { schema: object }> }>;
}

/** An operation with where it is found. */
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

  /** `seen` gets every `operation status` that is checked. */
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

  /** What the document does not say of an answer; empty when it fits, or when the API has no such operation. */
  problems({ method, target }: { method: string; target: string }, answer: CheckedAnswer): string[] {
    const operation = this.#operations.get(parseUrl(method, target).operation);
    if (operation === undefined) return [];
    const { operationId, responses } = operation;
    this.#seen.add(`${operationId} ${answer.status}`);
    const response = responses[answer.status];
    if (response === undefined) return [`${operationId} does not document ${answer.status}: ${answer.text}`];
    const { type } = answer;
    // What GET would have answered is left out.
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
