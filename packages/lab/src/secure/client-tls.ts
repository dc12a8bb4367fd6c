/** How the lab's own HTTP clients speak TLS. */
import { Agent } from 'undici';

/** PEM. */
export interface ClientTls {
  /** The authority that they trust. */
  ca: string;
  /** For servers that demand a certificate. */
  cert?: string | undefined;
  key?: string | undefined;
}

/** Without `tls`, an agent for plain HTTP. The caller closes it. */
export function agentFor(tls: ClientTls | undefined, options: Agent.Options = {}): Agent {
  return new Agent(tls === undefined ? options : { ...options, connect: { ...tls } });
}
