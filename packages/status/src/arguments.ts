/** The command line of `npm run status`, and the address of the gateway that it reads. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

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

const DEFAULT_URL = 'http://127.0.0.1:8081';

export interface StatusArguments {
  url: string;
  token: string | undefined;
  caFile: string | undefined;
  isWatching: boolean;
  isJson: boolean;
  /** Lists the consumers with this text, the empty one all; `undefined` shows the regions. */
  consumerFilter: string | undefined;
}

export interface Surroundings {
  env: Readonly<Record<string, string | undefined>>;
  /** Directories to search for the file of a running lab, in this order. */
  directories: readonly string[];
}

/** Errors: `Error` for an invalid argument. */
export function readArguments(
  args: readonly string[],
  { env, directories }: Surroundings,
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
  if (values.url !== undefined && !/^https?:$/.test(URL.parse(values.url)?.protocol ?? '')) {
    throw new Error(`--url ${values.url} is not a URL such as ${DEFAULT_URL}`);
  }
  const { consumers = false, filter } = values;
  if (filter !== undefined && !consumers) throw new Error('--filter is for --consumers');
  const lab = findLab(directories);
  const url = (values.url ?? lab?.admin ?? DEFAULT_URL).replace(/\/+$/, '');
  const token = values.token ?? (env['CAUSEWAY_ADMIN_TOKEN'] || undefined);
  return {
    url,
    // The lab's token is for the lab's gateway alone.
    token: token ?? (url === lab?.admin ? lab.token : undefined),
    caFile: values.ca ?? (env['CAUSEWAY_CA_FILE'] || lab?.caFile),
    isWatching: values.watch === true,
    isJson: values.json === true,
    consumerFilter: consumers ? (filter ?? '') : undefined,
  };
}

interface Lab {
  admin: string;
  token: string | undefined;
  caFile: string | undefined;
}

function findLab(directories: readonly string[]): Lab | undefined {
  for (const directory of directories) {
    try {
      const text = readFileSync(join(directory, '.causeway/stack.json'), 'utf8');
      const { tier1, tls } = JSON.parse(text) as {
        tier1?: { admin?: string; adminToken?: string };
        tls?: { caFile?: string };
      };
      if (typeof tier1?.admin === 'string') {
        return { admin: tier1.admin, token: tier1.adminToken, caFile: tls?.caFile };
      }
    } catch {
      // No lab runs there.
    }
  }
  return undefined;
}
