import type { Identity } from '@postern/plugin-sdk';
import type { CompiledRole, Roles } from './compile-role.js';
import type { Lock } from './lock.js';

/** What a cluster knows of one of its own users. */
export interface UserState {
  readonly generation: number;
  readonly disabled: boolean;
}

/** Who asks, and everything that is known about them. */
export interface Subject {
  /**
   * From a verified certificate; `resource` is the only one that the certificate
   * opens, `web` the browser's session that it was issued to.
   */
  readonly identity: Identity & {
    readonly resource?: { readonly kind: string; readonly name: string };
    readonly web?: { readonly expires: Date };
  };
  /** All roles that exist. Only those that the certificate carries are looked at. */
  readonly roles: Roles;
  readonly locks: readonly Lock[];
  /** `absent` where the cluster has no such user (any more), `foreign` for a user of a trusted cluster. */
  readonly user: UserState | 'absent' | 'foreign';
  /** The client's address, where it is known. */
  readonly source?: string;
  readonly now: Date;
  /**
   * A session that was opened in time may go on after its certificate's end,
   * where the roles say so; nothing else may. `opening` by default.
   */
  readonly stage?: 'opening' | 'session';
}

/** The names of the roles that the certificate carries, each once, in an order that does not depend on it. */
export const carriedRoles = ({ roles }: Pick<Identity, 'roles'>): readonly string[] => [...new Set(roles)].sort();

/** The carried roles that exist. */
export const existingRoles = (names: readonly string[], roles: Roles): readonly CompiledRole[] =>
  names.flatMap((name) => roles.get(name) ?? []);
