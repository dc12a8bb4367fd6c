/**
 * Writes the JSON Schema of one version of a CustomResourceDefinition, strict and without texts, to standard output:
 *
 *     node test/kubernetes/crd-schemas/extract.ts CRD.yaml VERSION > test/kubernetes/crd-schemas/KIND.json
 */
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { parseAllDocuments } from 'yaml';

type Schema = Record<string, unknown>;

/** Texts, and rules in CEL, which only an API server can apply. */
const LEFT_OUT = ['description', 'default', 'example', 'format', 'x-kubernetes-validations'];

/** Long sections that nothing here uses: they may contain anything. */
const LEFT_OPEN = ['status', 'template', 'acme', 'cruiseControl', 'kafkaExporter'];

const [file, version] = process.argv.slice(2);
const crd = parseAllDocuments(readFileSync(file ?? '', 'utf8'))
  .map((document) => document.toJS())
  .find((object) => object?.kind === 'CustomResourceDefinition');
const found = crd.spec.versions.find(
  ({ name, served }: { name: string; served: boolean }) => name === version && served,
);
if (found === undefined) throw new Error(`${file} has no version ${version}`);
const schema = strict(found.schema.openAPIV3Schema);
const properties = { ...(schema['properties'] as Schema), metadata: { type: 'object' } };
process.stdout.write(`${JSON.stringify({ ...schema, properties })}\n`);

/** As the API server treats them with strict field validation: what a schema does not list is a mistake. */
function strict(schema: Schema): Schema {
  const result: Schema = {};
  for (const [key, value] of Object.entries(schema)) {
    // Go writes some expressions as JavaScript does not.
    if (LEFT_OUT.includes(key) || (key === 'pattern' && String(value).includes('(?'))) continue;
    if (key === 'properties') {
      const entries = Object.entries(value as Record<string, Schema>);
      result[key] = Object.fromEntries(
        entries.map(([name, item]) => [name, LEFT_OPEN.includes(name) ? { type: 'object' } : strict(item)]),
      );
    } else if (Array.isArray(value)) result[key] = value.map((item) => (isSchema(item) ? strict(item) : item));
    else result[key] = isSchema(value) ? strict(value) : value;
  }
  const isOpen = schema['x-kubernetes-preserve-unknown-fields'] === true || 'additionalProperties' in schema;
  if ('properties' in schema && schema['type'] === 'object' && !isOpen) result['additionalProperties'] = false;
  return result;
}

function isSchema(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
