import { TlsListener, type TlsListenerOptions } from '../api/http-listener.js';
import type { ProcessParts } from './open-agent.js';
import { isOfActiveKey } from '../certificates/index.js';
import { certifyService, type ServiceCertificate } from './service-certificate.js';
import type { Shutdown } from './shutdown.js';

/** How often certificates of this process are looked at. */
const renewalCheckMs = 60_000;

export interface RenewedListenerOptions extends Pick<TlsListenerOptions, 'fetch'> {
  readonly names: readonly string[];
  /** PEM, asked again after every change of the authorities: whose clients are asked for a certificate. */
  readonly clientAuthorities?: () => readonly string[];
  readonly service: 'auth' | 'proxy';
  /** Told of each certificate, the first one included. */
  readonly changed?: (current: ServiceCertificate) => void;
}

/**
 * A TLS listener with a certificate of the cluster's own authority, which is
 * replaced in time and when another key of the authority signs.
 */
export async function renewedListener(
  { state, auth, now, logger }: ProcessParts,
  shutdown: Shutdown,
  { names, service, clientAuthorities, changed = () => {}, ...options }: RenewedListenerOptions,
): Promise<TlsListener> {
  const { view, issuer } = state;
  const request = { name: `${service}-${state.agent}`.slice(0, 63), services: [service], names };
  const context = { issuer, report: auth.report, now };
  const clients = (): { clientAuthorities?: readonly string[] } =>
    clientAuthorities ? { clientAuthorities: clientAuthorities() } : {};
  let current = await certifyService(request, context);
  const minVersion = service === 'auth' ? 'TLSv1.3' : 'TLSv1.2';
  const made = new TlsListener({ ...options, ...current, ...clients(), minVersion });
  changed(current);
  state.authorities.watch(request.name, () => current.certificate);
  const renew = async (): Promise<void> => {
    const authority = view.keySet('host');
    const isOld = authority && !isOfActiveKey(current.certificate, authority);
    // Where the clock was put back, it is one of the future, which nobody believes.
    if (isOld || now() >= current.renewAt || now() < current.made) {
      current = await certifyService(request, context);
      changed(current);
    }
    made.renew({ ...current, ...clients() });
  };
  let checked = Promise.resolve();
  const check = (): void => {
    checked = checked
      .then(renew)
      .catch((cause: unknown) => logger.error('a certificate could not be renewed', { service, cause: String(cause) }));
  };
  const timer = setInterval(check, renewalCheckMs).unref();
  const stop = state.authorities.onChange(check);
  shutdown.after('a renewal', () => {
    clearInterval(timer);
    stop();
    return checked;
  });
  return shutdown.keep(`the listener of ${service}`, made);
}
