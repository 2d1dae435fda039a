import { PosternError, type AnyProtocol, type Identity } from '@postern/plugin-sdk';
import type { UserService } from '../identity/index.js';
import { decide, principalsOf, type Decision } from '../rbac/index.js';
import type { ClusterView } from './cluster-view.js';

export interface ExplainerOptions {
  readonly users: UserService;
  readonly view: ClusterView;
  readonly protocols: ReadonlyMap<string, AnyProtocol>;
  readonly now: () => Date;
}

/** An address to be pinned to and to come from: where a user is, is not what is asked here. */
const anywhere = '192.0.2.1';

/** Decides accesses that nobody makes: as if the user had just logged in, with a second factor, and connected from there. The decision is the one that agents make. */
export class Explainer {
  constructor(private readonly options: ExplainerOptions) {}

  /** Rejects with `not_found` for an unknown user or resource, with `invalid_argument` for an ask that is none. */
  async explain(
    name: string,
    target: { readonly kind: string; readonly name: string },
    asked: Readonly<Record<string, unknown>>,
  ): Promise<Decision> {
    const { users, view, protocols, now } = this.options;
    const user = await users.get(name);
    if (!user) throw PosternError.public('not_found', `there is no user ${name}`);
    const resource = view.resources.find((one) => one.kind === target.kind && one.name === target.name);
    const protocol = protocols.get(target.kind);
    if (!resource || !protocol)
      throw PosternError.public('not_found', `there is no resource ${target.kind}/${target.name}`);
    const ask = protocol.auth.ask.safeParse(asked);
    if (!ask.success) {
      const issues = ask.error.issues.map(
        ({ path, message }) => `${path.map(String).join('.') || 'the ask'}: ${message}`,
      );
      throw PosternError.public('invalid_argument', issues.join('\n'));
    }
    const { roles, traits, generation } = user;
    const identity: Identity = {
      user: name,
      cluster: view.cluster,
      roles,
      traits,
      generation,
      principals: principalsOf({ roles, traits }, view.roles, protocols),
      serial: '0',
      expires: new Date(now().getTime() + 60_000),
      requests: [],
      mfa: { device: 'any', at: now() },
      pinnedAddress: anywhere,
    };
    const subject = {
      identity,
      source: anywhere,
      now: now(),
      user: view.user(name),
      roles: view.roles,
      locks: view.locks,
    };
    return decide({ subject, resource, protocol, ask: ask.data });
  }
}
