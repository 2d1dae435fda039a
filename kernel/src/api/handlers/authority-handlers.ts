import type { z } from 'zod';
import type { CertificateIssuer } from '../../certificates/index.js';
import type { ClusterView } from '../../cluster/cluster-view.js';
import type { Report } from '../../cluster/report.js';
import type { RotationService, RotationStatus } from '../../cluster/rotation-service.js';
import { callerName } from '../caller.js';
import {
  certifyDatabaseServer,
  getAuthority,
  getKeySet,
  listAuthorities,
  rotateAuthority,
  type rotationView,
} from '../contract/index.js';
import { implement, type Handler } from '../handler.js';

export interface AuthorityHandlersOptions {
  readonly issuer: CertificateIssuer;
  readonly view: ClusterView;
  readonly rotation: RotationService;
  readonly report: Report;
}

export function authorityHandlers({ issuer, view, rotation, report }: AuthorityHandlersOptions): readonly Handler[] {
  return [
    implement(getAuthority, ({ kind }) => {
      const { cluster, x509, openSsh } = view.bundle(kind);
      return { kind, cluster, x509: [...x509], openSsh: [...openSsh] };
    }),
    implement(listAuthorities, () => rotation.list().map(viewOf)),
    implement(rotateAuthority, async ({ kind, step, grace, force }, { caller }) => {
      const graceMs = grace === undefined ? undefined : grace * 1000;
      return viewOf(await rotation.step({ kind, step, graceMs, force }, callerName(caller)));
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

function viewOf({ set, next, blockers }: RotationStatus): z.input<typeof rotationView> {
  const { kind, phase, since, rotated, active, trusted, graceMs } = set;
  return {
    kind,
    phase,
    ...(since !== undefined && { since }),
    ...(rotated !== undefined && { rotated }),
    active: [...active],
    trusted: trusted.map(({ id }) => id),
    ...(next !== undefined && { next }),
    ...(since !== undefined &&
      graceMs !== undefined && { advances: new Date(Date.parse(since) + graceMs).toISOString() }),
    blockers: blockers.map(({ reason, until }) => ({ reason, ...(until && { until: until.toISOString() }) })),
  };
}
