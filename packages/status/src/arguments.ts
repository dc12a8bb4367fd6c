/** The command line of `npm run status`, and the address of the gateway that it reads. */
import { parseArgs } from 'node:util';
import { type Gateway, type Surroundings, whichGateway } from './gateway.ts';

export const USAGE = `Usage: npm run status -- [--url URL] [--token TOKEN] [--ca FILE] [--watch] [--json]
       npm run status -- --consumers [--filter TEXT] …

  --url URL      the admin address of any gateway; default: tier-1 of the lab that runs here, else http://127.0.0.1:8081
  --token TOKEN  a token of admin.token or admin.tokens, for a gateway beyond loopback; also CAUSEWAY_ADMIN_TOKEN
  --ca FILE      PEM: the authority that signed the certificate of an https URL, beside those of the system; also CAUSEWAY_CA_FILE
  --watch        redraw each second, until Ctrl-C
  --consumers    the consumers, with their principals and owners, in place of the regions
  --filter TEXT  of them, those with it in group, instance, principal, home or state
  --json         the response of /api/topology, or of /api/consumers, unchanged
  --version      the version of this program, and of Node.js
  --help         this text

Exit code: 0 up, 1 degraded, 2 down or no gateway responds.`;

export interface StatusArguments extends Gateway {
  isWatching: boolean;
  isJson: boolean;
  /** Lists the consumers with this text, the empty one all; `undefined` shows the regions. */
  consumerFilter: string | undefined;
}

/** Errors: `Error` for an invalid argument. */
export function readArguments(
  args: readonly string[],
  surroundings: Surroundings,
): StatusArguments | 'help' | 'version' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      url: { type: 'string' },
      token: { type: 'string' },
      ca: { type: 'string' },
      watch: { type: 'boolean' },
      json: { type: 'boolean' },
      consumers: { type: 'boolean' },
      filter: { type: 'string' },
      version: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  });
  if (values.help === true) return 'help';
  if (values.version === true) return 'version';
  const { consumers = false, filter } = values;
  if (filter !== undefined && !consumers) throw new Error('--filter is for --consumers');
  return {
    ...whichGateway(values, surroundings),
    isWatching: values.watch === true,
    isJson: values.json === true,
    consumerFilter: consumers ? (filter ?? '') : undefined,
  };
}
