import { TlsListener, type TlsListenerOptions } from '../api/http-listener.js';
import type { ProcessParts } from './open-agent.js';
import { certifyService, type ServiceCertificate } from './service-certificate.js';
import type { Shutdown } from './shutdown.js';

/** How often certificates of this process are looked at. */
const renewalCheckMs = 3_600_000;

export interface RenewedListenerOptions extends Pick<TlsListenerOptions, 'fetch' | 'clientAuthorities'> {
  readonly names: readonly string[];
  readonly service: 'auth' | 'proxy';
  /** Told of each certificate, the first one included. */
  readonly changed?: (current: ServiceCertificate) => void;
}

/** A TLS listener with a certificate of the cluster's own authority, which is replaced in time. */
export async function renewedListener(
  { state, auth, now, logger }: ProcessParts,
  shutdown: Shutdown,
  { names, service, changed = () => {}, ...options }: RenewedListenerOptions,
): Promise<TlsListener> {
  const request = { name: `${service}-${state.agent}`.slice(0, 63), services: [service], names };
  const context = { issuer: state.issuer, report: auth.report, now };
  let current = await certifyService(request, context);
  const made = new TlsListener({ ...options, ...current, minVersion: service === 'auth' ? 'TLSv1.3' : 'TLSv1.2' });
  changed(current);
  const renew = async (): Promise<void> => {
    if (now() < current.renewAt) return;
    current = await certifyService(request, context);
    made.renew(current.certificate, current.key);
    changed(current);
  };
  const timer = setInterval(() => {
    renew().catch((cause: unknown) =>
      logger.error('a certificate could not be renewed', { service, cause: String(cause) }),
    );
  }, renewalCheckMs).unref();
  shutdown.after('a renewal', () => clearInterval(timer));
  return shutdown.keep(`the listener of ${service}`, made);
}
