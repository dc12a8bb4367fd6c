/** The gateway that a program of operators asks: by its arguments, the environment, or a lab that runs here. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export const DEFAULT_URL = 'http://127.0.0.1:8081';

export interface Surroundings {
  env: Readonly<Record<string, string | undefined>>;
  /** Directories to search for the file of a running lab, in this order. */
  directories: readonly string[];
}

export interface Gateway {
  /** Without a slash at the end. */
  url: string;
  token: string | undefined;
  caFile: string | undefined;
}

/** Errors: `Error` for an invalid URL. */
export function whichGateway(
  given: { url?: string | undefined; token?: string | undefined; ca?: string | undefined },
  { env, directories }: Surroundings,
): Gateway {
  if (given.url !== undefined && !/^https?:$/.test(URL.parse(given.url)?.protocol ?? '')) {
    throw new Error(`--url ${given.url} is not a URL such as ${DEFAULT_URL}`);
  }
  const lab = findLab(directories);
  const url = (given.url ?? lab?.admin ?? DEFAULT_URL).replace(/\/+$/, '');
  const token = given.token ?? (env['CAUSEWAY_ADMIN_TOKEN'] || undefined);
  return {
    url,
    // The lab's token is for the lab's gateway alone.
    token: token ?? (url === lab?.admin ? lab.token : undefined),
    caFile: given.ca ?? (env['CAUSEWAY_CA_FILE'] || lab?.caFile),
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
