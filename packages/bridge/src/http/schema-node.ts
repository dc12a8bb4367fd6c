/** The parts of a JSON schema by which bodies are read and checked. */
export interface SchemaNode {
  $id?: string;
  /** A list: one of these types. */
  type?: string | readonly string[];
  format?: string;
  oneOf?: SchemaNode[];
  items?: SchemaNode;
  properties?: Record<string, SchemaNode>;
  required?: string[];
  additionalProperties?: boolean;
}
