/** The command line of `npm run clusters`. */
import { parseArgs } from 'node:util';
import { type Gateway, type Surroundings, whichGateway } from '../gateway.ts';

export const USAGE = `Usage: npm run clusters -- [list]
       npm run clusters -- promote CLUSTER [--force]
       npm run clusters -- rejoin CLUSTER [--save FILE | --discard | --peer-gone]
       npm run clusters -- save CLUSTER --save FILE
       npm run clusters -- prepare CLUSTER [--json]
       npm run clusters -- replication-ended CLUSTER

list      which Kafka cluster is active, since when and why, and what a loss of it would cost
promote   makes CLUSTER the active one, without a loss while both are alive
rejoin    lets a cluster that was lost and came back stand by; first saves the records that it alone has
save      saves those records, also after it has rejoined
prepare   after a promotion, lets MirrorMaker, which must not run, begin to fill CLUSTER behind what that has already;
          npm run mirror-maker does it by itself
replication-ended
          says that MirrorMaker does not fill CLUSTER any more, which was promoted: for npm run mirror-maker beside the other
          cluster, if the one beside CLUSTER does not run, which says it by itself

  --force        promote although records that were not replicated are lost
  --save FILE    a new file for the records: a line of JSON for each, keys and values in base64
  --discard      let it rejoin without saving them
  --peer-gone    let it rejoin without a report, because the other cluster, which has that, is lost; it can be promoted then
  --json         for MirrorMaker in Kafka Connect: changes nothing, and prints the body for PATCH /connectors/NAME/offsets
  --url URL      the admin address of any tier-1 gateway; default: that of the lab that runs here, else http://127.0.0.1:8081
  --token TOKEN  the token of an operator (admin.tokens); also CAUSEWAY_ADMIN_TOKEN
  --ca FILE      PEM: the authority that signed the certificate of an https URL; also CAUSEWAY_CA_FILE
  --version      the version of this program, and of Node.js
  --help         this text

Exit code: 0 done, 1 refused or failed, 2 wrong arguments.`;

const COMMANDS = ['list', 'promote', 'rejoin', 'save', 'prepare', 'replication-ended'] as const;
export type Command = (typeof COMMANDS)[number];

export interface ClusterArguments {
  command: Command;
  /** Empty for `list`. */
  cluster: string;
  isForced: boolean;
  /** `undefined`: none was given. */
  file: string | undefined;
  isDiscarding: boolean;
  isPeerGone: boolean;
  isJson: boolean;
  gateway: Gateway;
}

/** Errors: `Error` for an invalid argument. */
export function readArguments(
  args: readonly string[],
  surroundings: Surroundings,
): ClusterArguments | 'help' | 'version' {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      force: { type: 'boolean', default: false },
      save: { type: 'string' },
      discard: { type: 'boolean', default: false },
      'peer-gone': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      url: { type: 'string' },
      token: { type: 'string' },
      ca: { type: 'string' },
      version: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  });
  if (values.help === true) return 'help';
  if (values.version === true) return 'version';
  const [word = 'list', cluster = '', ...rest] = positionals;
  const command = COMMANDS.find((known) => known === word);
  if (command === undefined) throw new Error(`${word} is not one of ${COMMANDS.join(', ')}`);
  if (rest.length > 0) throw new Error(`${rest.join(' ')} is one argument too many`);
  if (command === 'list' && cluster !== '') throw new Error(`list shows all clusters, not ${cluster} alone`);
  if (command !== 'list' && cluster === '') throw new Error(`${command} needs the name of a cluster`);
  const { force, save: file, discard, 'peer-gone': isPeerGone, json: isJson } = values;
  if (force && command !== 'promote') throw new Error('--force is for promote');
  if (discard && command !== 'rejoin') throw new Error('--discard is for rejoin');
  if (isPeerGone && command !== 'rejoin') throw new Error('--peer-gone is for rejoin');
  if (isJson && command !== 'prepare') throw new Error('--json is for prepare');
  if (isPeerGone && (discard || file !== undefined)) {
    throw new Error('--peer-gone does without the report by which records are saved');
  }
  if (discard && file !== undefined) throw new Error('--save and --discard exclude each other');
  if (file !== undefined && command !== 'rejoin' && command !== 'save')
    throw new Error('--save is for rejoin and save');
  if (file === undefined && command === 'save') throw new Error('save needs --save FILE');
  return {
    command,
    cluster,
    isForced: force,
    file,
    isDiscarding: discard,
    isPeerGone,
    isJson,
    gateway: whichGateway(values, surroundings),
  };
}
