import net from 'node:net';
import { isLabel } from './route.js';

/** Offered in ALPN by an agent that opens a control connection at the public port. */
export const tunnelProtocol = 'postern-tunnel/1';

/** Where a connection goes. */
export type Destination =
  /** The Auth Service, end to end. */
  | { readonly kind: 'auth' }
  /** The proxy's own TLS: browsers. */
  | { readonly kind: 'web' }
  /** The proxy's own mutual TLS: the control connections of agents. */
  | { readonly kind: 'tunnel' }
  /** An agent that serves this resource, end to end. */
  | { readonly kind: 'agent'; readonly protocol: string; readonly label: string }
  | { readonly kind: 'unknown'; readonly reason: string };

export interface RouterOptions {
  /** The cluster's DNS name. */
  readonly cluster: string;
  /** True for the ids of protocols that resources of this cluster can have. */
  isKind(id: string): boolean;
  /** Domains whose direct children are applications for browsers. */
  readonly appDomains?: readonly string[];
}

/**
 * Maps the name that a client asks for to a destination. Pure: it knows how
 * names are built, not who is there.
 *
 *     <cluster>, no name, localhost, an IP address   the proxy itself
 *     auth.<cluster>                                 the Auth Service
 *     <resource>.<kind>.<cluster>                    an agent
 *     <app>.<application domain>                     the proxy itself
 */
export class Router {
  readonly #cluster: string;
  readonly #appDomains: readonly string[];

  constructor(private readonly options: RouterOptions) {
    this.#cluster = canonical(options.cluster);
    this.#appDomains = (options.appDomains ?? []).map(canonical);
  }

  /** `name` in any case, with or without a trailing dot; `alpn` as the client offers it. */
  resolve(name: string | undefined, alpn: readonly string[] = []): Destination {
    const asked = canonical(name ?? '');
    if (asked === this.#cluster || isNobody(asked)) return { kind: alpn.includes(tunnelProtocol) ? 'tunnel' : 'web' };
    const labels = labelsBelow(asked, this.#cluster);
    const below = labels && this.#below(labels);
    if (below && below.kind !== 'unknown') return below;
    if (this.#appDomains.some((domain) => labelsBelow(asked, domain)?.length === 1)) return { kind: 'web' };
    if (below) return below;
    return { kind: 'unknown', reason: `${asked} is no name of this cluster` };
  }

  #below(labels: readonly string[]): Destination {
    const [label = '', protocol, ...rest] = labels;
    if (protocol === undefined)
      return label === 'auth'
        ? { kind: 'auth' }
        : { kind: 'unknown', reason: `${label} is no service of this cluster` };
    if (rest.length > 0) return { kind: 'unknown', reason: 'the name has more labels than a resource and its kind' };
    if (!this.options.isKind(protocol)) return { kind: 'unknown', reason: `${protocol} is no kind of resource` };
    if (!isLabel(label)) return { kind: 'unknown', reason: `${label} is no label` };
    return { kind: 'agent', protocol, label };
  }
}

const canonical = (name: string): string => name.toLowerCase().replace(/\.$/, '');

/** Some clients put the address that they dial into the server name; IPv6 with or without brackets. */
const isAddress = (name: string): boolean => net.isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0;

/** What a client says that dials an address, or this machine, and means the cluster itself. */
const isNobody = (name: string): boolean => name === '' || name === 'localhost' || isAddress(name);

function labelsBelow(name: string, domain: string): string[] | undefined {
  if (!name.endsWith(`.${domain}`)) return undefined;
  const labels = name.slice(0, -domain.length - 1).split('.');
  return labels.every((label) => label.length > 0 && label.length <= 63) ? labels : undefined;
}
