/** The certificates of the listeners: their changes and problems, and clients that cannot connect, become events. */
import type { ListenTls } from '@causeway/config/listen-tls.ts';
import { Certificates } from '@causeway/http/certificates.ts';
import type { Listener } from '@causeway/protocol/admin/model.ts';
import type { EventLog } from '../events.ts';

export interface ListenerOfCertificates {
  /** As in logs, metrics and the admin API. */
  name: string;
  /** Its section in the configuration. */
  key: string;
  tls: ListenTls | undefined;
}

/** What operators see of them; `null` for plain HTTP. */
export function describeCertificates(certificates: Certificates | undefined): Listener['tls'] {
  if (certificates === undefined) return null;
  const { notAfter, isExpiringSoon, names, problem } = certificates.state;
  return {
    notAfter: notAfter.toISOString(),
    expiresSoon: isExpiringSoon,
    names: [...names],
    problem: problem ?? null,
  };
}

/** `undefined` for a plain listener. Errors: for files that cannot be used. */
export function createCertificates(
  { name, key, tls }: ListenerOfCertificates,
  events: Pick<EventLog, 'emit'>,
): Certificates | undefined {
  if (tls === undefined) return undefined;
  return new Certificates(tls, {
    place: `${key}.tls`,
    onChange: ({ notAfter, problem }) =>
      events.emit({
        type: 'certificate',
        of: `listener ${name}`,
        problem: problem ?? null,
        expiresAt: notAfter.toISOString(),
      }),
    onHandshakeFailure: ({ address, failureCount, reason }) =>
      events.emit({ type: 'handshake', listener: name, address, failureCount, reason }),
  });
}
