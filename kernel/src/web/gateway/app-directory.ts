import type { AnyProtocol } from '@postern/plugin-sdk';
import { routeLabel } from '../../tunnels/index.js';
import type { ResourceName } from '../sessions/index.js';

export interface AppDirectoryOptions {
  readonly appsDomain: string | undefined;
  readonly protocols: ReadonlyMap<string, AnyProtocol>;
  /** All resources of the cluster, as they are now. */
  resources(): Iterable<ResourceName>;
}

/** Which resources are applications, and at which host. Their kinds say so. */
export class AppDirectory {
  constructor(private readonly options: AppDirectoryOptions) {}

  /** True for the kinds whose resources are applications. */
  isAppKind(kind: string): boolean {
    const transport = this.options.protocols.get(kind)?.transport;
    return transport?.kind === 'tls' && transport.appHost === true;
  }

  /** The host of an application, without a port; `undefined` for what is none. */
  hostOf({ kind, name }: ResourceName): string | undefined {
    const { appsDomain } = this.options;
    return appsDomain !== undefined && this.isAppKind(kind) ? `${routeLabel(name)}.${appsDomain}` : undefined;
  }

  /** Whether a name is one of an application's, whether or not there is one. */
  isAppHost(host: string): boolean {
    const { appsDomain } = this.options;
    return appsDomain !== undefined && host.endsWith(`.${appsDomain}`);
  }

  /** The application at a host. `undefined` where there is none, and where two kinds have one of this name. */
  find(host: string): ResourceName | undefined {
    const [found, another] = [...this.options.resources()].filter((resource) => this.hostOf(resource) === host);
    return another ? undefined : found && { kind: found.kind, name: found.name };
  }
}
