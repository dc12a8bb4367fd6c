/** Operations on the process and on the API itself. */
import { Type } from 'typebox';
import { plain } from './content.ts';
import { defineOperations } from './operation.ts';

const BridgeInfo = Type.Object({ bridge_version: Type.String() }, { $id: 'BridgeInfo', title: 'BridgeInfo' });
const DOCUMENT = { summary: 'This document.', tags: [], status: 200, response: plain(Type.Object({})), errors: [503] };

export const SERVICE_OPERATIONS = defineOperations([
  {
    operation: 'info',
    method: 'GET',
    path: '/',
    kind: 'service',
    retry: 'read',
    summary: 'The version.',
    tags: [],
    status: 200,
    response: plain(BridgeInfo),
    errors: [503],
  },
  {
    operation: 'healthy',
    method: 'GET',
    path: '/healthy',
    kind: 'management',
    retry: 'read',
    summary: 'Whether the process is alive.',
    tags: [],
    status: 200,
  },
  {
    operation: 'ready',
    method: 'GET',
    path: '/ready',
    kind: 'management',
    retry: 'read',
    summary: 'Whether Kafka answers.',
    tags: [],
    status: 200,
    errors: [503],
  },
  {
    operation: 'metrics',
    method: 'GET',
    path: '/metrics',
    kind: 'management',
    retry: 'read',
    summary: 'Metrics in the text format of Prometheus.',
    tags: [],
    status: 200,
    response: { schema: Type.String(), types: ['text/plain'] },
    errors: [404],
  },
  { operation: 'openapi', method: 'GET', path: '/openapi', kind: 'service', retry: 'read', ...DOCUMENT },
  { operation: 'openapiv3', method: 'GET', path: '/openapi/v3', kind: 'service', retry: 'read', ...DOCUMENT },
]);
