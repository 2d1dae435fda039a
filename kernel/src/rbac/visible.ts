import type { Protocols } from './compile-role.js';
import { decideVisible, type Target } from './decide.js';
import type { Subject } from './subject.js';

/** A resource that somebody may see, and whom they may become there. */
export interface Visible<T extends Target> {
  readonly resource: T;
  readonly principals: readonly string[];
}

/** The resources that the subject may see, in their order. Those of protocols that are not enabled here are left out. */
export function visible<T extends Target>(
  subject: Subject,
  resources: Iterable<T>,
  protocols: Protocols,
): readonly Visible<T>[] {
  const seen: Visible<T>[] = [];
  for (const resource of resources) {
    const protocol = protocols.get(resource.kind);
    const decision = protocol && decideVisible({ subject, resource, protocol });
    if (decision?.allowed) seen.push({ resource, principals: decision.principals });
  }
  return seen;
}
