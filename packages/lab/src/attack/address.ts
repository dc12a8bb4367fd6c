/** Where a listener is attacked. */
import type { ClientTls } from '../secure/client-tls.ts';

export interface Address {
  name: string;
  host: string;
  port: number;
  /** Of a secure system. */
  tls?: ClientTls | undefined;
}
