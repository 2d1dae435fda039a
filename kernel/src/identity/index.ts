export { Authenticator, type Authenticated, type Proof } from './authenticator.js';
export { Invitations, type Invitation } from './invitations.js';
export { Lockout } from './lockout.js';
export { oneTimePassword } from './password.js';
export { type Report } from './report.js';
export { totpCode, totpUri } from './totp.js';
export { user, type User } from './user.js';
export { UserService, type NewUser, type UserChange } from './user-service.js';
export { UserStore, usersPrefix } from './user-store.js';
