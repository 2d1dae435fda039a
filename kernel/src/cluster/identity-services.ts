import {
  Authenticator,
  Enrolments,
  Invitations,
  Lockout,
  SecondFactors,
  UserService,
  UserStore,
} from '../identity/index.js';
import type { CertificateIssuer, Sealer } from '../certificates/index.js';
import { mergeOptions } from '../rbac/index.js';
import type { Store } from '../storage/index.js';
import { WebSessionService } from '../web/sessions/index.js';
import { LoginService } from './login-service.js';
import type { Report } from './report.js';

type WebOptions = ConstructorParameters<typeof WebSessionService>[0];
type LoginOptions = ConstructorParameters<typeof LoginService>[0];

export interface IdentityServicesOptions
  extends Omit<WebOptions, 'authenticator' | 'report'>, Omit<LoginOptions, 'authenticator' | 'report'> {
  readonly store: Store;
  readonly sealer: Sealer;
  readonly issuer: CertificateIssuer;
  readonly report: Report;
  /** Rejects with `invalid_argument` where one of the roles does not exist. */
  readonly checkRoles: (roles: readonly string[]) => void;
}

/** Who the users are, and all the ways in which they prove it. */
export interface IdentityServices {
  readonly users: UserService;
  readonly invitations: Invitations;
  readonly lockout: Lockout;
  readonly logins: LoginService;
  readonly factors: SecondFactors;
  /** The sessions of browsers. */
  readonly web: WebSessionService;
}

/** Puts together what the Auth Service knows of users. */
export function identityServices(options: IdentityServicesOptions): IdentityServices {
  const { store: state, sealer, now, view, checkRoles } = options;
  const report: ConstructorParameters<typeof UserService>[0]['report'] = (type, { fields, ...about }) =>
    options.report(type, about, fields);
  const store = new UserStore(state, sealer);
  const invitations = new Invitations(state, sealer, now);
  const enrolments = new Enrolments(state, sealer, now);
  const lockout = new Lockout(state, now);
  const users = new UserService({ store, invitations, enrolments, lockout, report, now, checkRoles });
  const authenticator = new Authenticator({ store, lockout, report, now });
  const logins = new LoginService({ ...options, authenticator });
  const factors = new SecondFactors({
    store,
    enrolments,
    prove: (proof, source) => logins.prove(proof, source),
    demanded: ({ roles }) => mergeOptions(roles.flatMap((role) => view.roles.get(role)?.options ?? [])).requireMfa,
    report,
    now,
  });
  return { users, invitations, lockout, logins, factors, web: new WebSessionService({ ...options, authenticator }) };
}
