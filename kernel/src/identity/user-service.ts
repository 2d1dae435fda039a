import { PosternError } from '@postern/plugin-sdk';
import type { Enrolments } from './enrolments.js';
import { invitationMs, type Invitations } from './invitations.js';
import type { Lockout } from './lockout.js';
import { checkNewPassword, hashPassword } from './password.js';
import type { Report } from './report.js';
import { verifyTotp } from './totp.js';
import { defaultDevice, type User, type UserSecrets } from './user.js';
import type { UserStore } from './user-store.js';

export interface UserServiceOptions {
  readonly store: UserStore;
  readonly invitations: Invitations;
  readonly enrolments: Enrolments;
  readonly lockout: Lockout;
  readonly report: Report;
  readonly now: () => Date;
  /** Rejects with `invalid_argument` where a role does not exist. */
  readonly checkRoles: (roles: readonly string[]) => void;
}

export interface NewUser {
  readonly name: string;
  readonly roles: readonly string[];
  readonly traits: Readonly<Record<string, readonly string[]>>;
}

export interface UserChange {
  readonly roles?: readonly string[] | undefined;
  readonly traits?: Readonly<Record<string, readonly string[]>> | undefined;
  readonly disabled?: boolean | undefined;
}

/** What happens to users. `by` names who does it, for the audit log. Every change is recorded before it is made. */
export class UserService {
  constructor(private readonly options: UserServiceOptions) {}

  list(): Promise<readonly User[]> {
    return this.options.store.users.list().then((all) => all.map(({ value }) => value));
  }

  get(name: string): Promise<User | undefined> {
    return this.options.store.get(name);
  }

  /** Creates a user who cannot log in before the invitation was accepted. */
  async create(wanted: NewUser, by: string): Promise<{ readonly token: string; readonly expires: Date }> {
    await this.#create(wanted, undefined, by);
    return this.#invite(wanted.name, 'invite', by);
  }

  /** Creates a user whose one password must be replaced at the first login. */
  async createWithOneTimePassword(wanted: NewUser, password: string, by: string): Promise<void> {
    await this.#create(wanted, { passwordHash: await hashPassword(password), oneTime: true, devices: [] }, by);
  }

  /** Raises the generation where something is taken away, so that older certificates stop working. */
  async update(name: string, change: UserChange, by: string): Promise<User> {
    if (change.roles) this.options.checkRoles(change.roles);
    await this.#exists(name);
    const changes = Object.entries(change).flatMap(([part, value]) => (value === undefined ? [] : part));
    await this.#changed(name, changes, by);
    return this.options.store.change(name, ({ user, secrets }) => {
      const after: User = {
        ...user,
        roles: [...(change.roles ?? user.roles)],
        traits: change.traits ? copyTraits(change.traits) : user.traits,
        disabled: change.disabled ?? user.disabled,
      };
      // Roles and traits stand in certificates: any change of them makes the old ones wrong.
      const changed = JSON.stringify(after) !== JSON.stringify(user);
      return { user: { ...after, generation: user.generation + (changed ? 1 : 0) }, secrets };
    });
  }

  /** Takes password and second factors away and makes a link to start anew. */
  async reset(name: string, by: string): Promise<{ readonly token: string; readonly expires: Date }> {
    await this.#exists(name);
    await this.#changed(name, ['reset'], by);
    await this.options.store.change(name, ({ user }) => ({
      user: { ...user, activated: false, totp: false, generation: user.generation + 1 },
      secrets: undefined,
    }));
    await this.options.enrolments.revoke(name);
    await this.options.lockout.clear(name);
    return this.#invite(name, 'reset', by);
  }

  async unlock(name: string, by: string): Promise<void> {
    await this.#exists(name);
    await this.#changed(name, ['unlocked'], by);
    await this.options.lockout.clear(name);
  }

  async delete(name: string, by: string): Promise<void> {
    await this.#exists(name);
    await this.options.report('user.deleted', { user: by, fields: { name } });
    await this.options.store.delete(name);
    await this.options.lockout.clear(name);
    await this.options.enrolments.revoke(name);
    await this.options.invitations.revoke(name);
  }

  /** Accepts an invitation: sets the password, and the offered second factor where a code of it is given. */
  async accept(
    token: string,
    chosen: { readonly password: string; readonly code?: string | undefined },
    source: string,
  ): Promise<User> {
    const { user: name, totpSecret } = await this.options.invitations.get(token);
    checkNewPassword(chosen.password, name);
    const step = chosen.code === undefined ? undefined : verifyTotp(totpSecret, chosen.code, this.options.now());
    if (chosen.code !== undefined && step === undefined)
      throw PosternError.public('invalid_argument', 'the code is wrong; is the clock of the device right?');
    const added = this.options.now().toISOString();
    const secrets: UserSecrets = {
      passwordHash: await hashPassword(chosen.password),
      oneTime: false,
      devices: step === undefined ? [] : [{ name: defaultDevice, secret: totpSecret, lastStep: step, added }],
    };
    const changes = ['activated', 'password', ...(step === undefined ? [] : ['totp'])];
    await this.options.report('user.changed', { user: name, source, fields: { name, changes } });
    // One commit: whoever is interrupted has the link and no password, or a password and no link.
    return this.options.store.change(
      name,
      ({ user }) => ({
        user: { ...user, activated: true, totp: step !== undefined, generation: user.generation + 1 },
        secrets,
      }),
      () => this.options.invitations.use(token),
    );
  }

  async #invite(
    name: string,
    purpose: 'invite' | 'reset',
    by: string,
  ): Promise<{ readonly token: string; readonly expires: Date }> {
    const { invitations, now, report } = this.options;
    const expires = new Date(now().getTime() + invitationMs[purpose]);
    await report('user.invited', { user: by, fields: { name, expires: expires.toISOString() } });
    return { token: await invitations.create(name, purpose, expires), expires };
  }

  /** The log must not tell of what did not happen. Rejects with `not_found`. */
  async #exists(name: string): Promise<void> {
    if (!(await this.options.store.get(name))) throw PosternError.public('not_found', `there is no user ${name}`);
  }

  #changed(name: string, changes: readonly string[], by: string): Promise<void> {
    return this.options.report('user.changed', { user: by, fields: { name, changes } });
  }

  async #create(wanted: NewUser, secrets: UserSecrets | undefined, by: string): Promise<void> {
    this.options.checkRoles(wanted.roles);
    const { name, roles } = wanted;
    if (await this.options.store.get(name))
      throw PosternError.public('already_exists', `there is a user ${name} already`);
    await this.options.report('user.created', { user: by, fields: { name, roles, origin: 'local' } });
    const created: User = {
      name,
      roles: [...roles],
      traits: copyTraits(wanted.traits),
      created: this.options.now().toISOString(),
      disabled: false,
      generation: 1,
      activated: secrets !== undefined,
      totp: false,
    };
    await this.options.store.create(created, secrets);
  }
}

const copyTraits = (traits: Readonly<Record<string, readonly string[]>>): Record<string, string[]> =>
  Object.fromEntries(Object.entries(traits).map(([name, values]) => [name, [...values]]));
