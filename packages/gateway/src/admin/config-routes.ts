/** Routes that show the current configuration without its secrets, and check another one. */
import type { ConfigProblem } from '@causeway/config/load.ts';
import { ConfigCheck } from '@causeway/protocol/admin/model.ts';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';

export interface ConfigRoutesOptions {
  /** Returns the configuration without secrets. */
  shownConfig: () => unknown;
  /** Returns the problems of a configuration file with this text. */
  checkConfig: (text: string) => readonly ConfigProblem[];
}

const MOST_BYTES = 1_048_576;

export function addConfigRoutes(app: FastifyInstance, { shownConfig, checkConfig }: ConfigRoutesOptions): void {
  app.get('/api/config', {
    schema: {
      operationId: 'config',
      summary: 'The current configuration with its defaults; secrets are masked.',
      response: { 200: Type.Object({}, { description: 'As in the YAML file.' }) },
    },
    handler: () => shownConfig(),
  });
  void app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'string', bodyLimit: MOST_BYTES }, (_, body, done) => done(null, body));
    scope.post<{ Body: string | undefined }>('/api/config/check', {
      schema: {
        operationId: 'checkConfig',
        summary:
          'Checks the text of a configuration file, and changes nothing. Needs the token of an operator: the check reads environment variables and files that the text names.',
        response: { 200: ConfigCheck },
      },
      config: { errors: [413], textBody: 'application/yaml', changesNothing: true },
      handler: ({ body }): ConfigCheck => {
        const errors = checkConfig(body ?? '').map(({ line, path, reason }) => ({
          message: path === '' ? reason : `${path}: ${reason}`,
          line,
        }));
        return { isValid: errors.length === 0, errors };
      },
    });
  });
}
