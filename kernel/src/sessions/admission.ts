import type { AnyProtocol, Denial, Identity } from '@postern/plugin-sdk';
import { decide, publicMessage, type Decision, type Subject } from '../rbac/index.js';
import type { ResourceDocument } from '../cluster/documents.js';
import type { ClusterView } from '../cluster/cluster-view.js';

export interface Wanted {
  readonly identity: Identity;
  readonly source: string;
  readonly protocol: AnyProtocol;
  readonly resource: ResourceDocument;
  readonly ask: unknown;
  readonly now: Date;
  readonly stage: 'opening' | 'session';
}

/** Decides an ask with what is known of the cluster right now. */
export function decideWanted(view: ClusterView, wanted: Wanted): Decision {
  const { identity, source, protocol, resource, ask, now, stage } = wanted;
  const user = view.user(identity.user);
  const subject: Subject = { identity, source, now, stage, user, roles: view.roles, locks: view.locks };
  return decide({ subject, resource, protocol, ask });
}

/** What the client is told about a decision, where it is a no. */
export function denialIn(decision: Decision): Denial | undefined {
  return decision.allowed ? undefined : { code: decision.code, message: publicMessage(decision) };
}
