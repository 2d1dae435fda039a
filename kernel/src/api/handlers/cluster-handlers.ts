import type { AuthorityBundle } from '../../certificates/index.js';
import { authorityPin } from '../../certificates/index.js';
import { getCluster, getStatus } from '../contract/index.js';
import { implement, type Handler } from '../handler.js';

/** The health of one thing that the process depends on. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

export interface ClusterHandlersOptions {
  readonly cluster: string;
  readonly version: string;
  readonly started: Date;
  readonly hostAuthorities: () => AuthorityBundle<'host'>;
  readonly checks: () => readonly Check[];
  readonly sessions: () => number;
}

export function clusterHandlers(options: ClusterHandlersOptions): readonly Handler[] {
  const { cluster, version, started } = options;
  return [
    implement(getCluster, () => {
      const { x509 } = options.hostAuthorities();
      return { name: cluster, version, authorities: [...x509], pins: x509.map((pem) => authorityPin(pem)) };
    }),
    implement(getStatus, () => {
      const checks = [...options.checks()];
      const ready = checks.every(({ ok }) => ok);
      return { cluster, version, started: started.toISOString(), ready, checks, sessions: options.sessions() };
    }),
  ];
}
