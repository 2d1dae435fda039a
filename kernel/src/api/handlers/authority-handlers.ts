import type { CertificateIssuer } from '../../certificates/index.js';
import type { ClusterView } from '../../cluster/cluster-view.js';
import type { Report } from '../../cluster/report.js';
import { callerName } from '../caller.js';
import { certifyDatabaseServer, getAuthority, getKeySet } from '../contract/index.js';
import { implement, type Handler } from '../handler.js';

export interface AuthorityHandlersOptions {
  readonly issuer: CertificateIssuer;
  readonly view: ClusterView;
  readonly report: Report;
}

export function authorityHandlers({ issuer, view, report }: AuthorityHandlersOptions): readonly Handler[] {
  return [
    implement(getAuthority, ({ kind }) => {
      const { cluster, x509, openSsh } = view.bundle(kind);
      return { kind, cluster, x509: [...x509], openSsh: [...openSsh] };
    }),
    implement(getKeySet, () => ({ keys: view.bundle('jwt').jwks.map((key) => ({ ...key })) })),
    implement(certifyDatabaseServer, async ({ names, publicKey, ttl }, { caller }) => {
      const issued = await issuer.issueServer({
        ca: 'db',
        names,
        publicKey,
        ...(ttl !== undefined && { lifetimeMs: ttl * 1000 }),
      });
      const { certificate, serial } = issued;
      const expires = issued.expires.toISOString();
      await report(
        'certificate.issued',
        { user: callerName(caller), source: caller.source },
        { authority: 'db', format: 'x509', serial, subject: names[0], principals: names, expires, purpose: 'server' },
      );
      return { certificate, serial, expires };
    }),
  ];
}
