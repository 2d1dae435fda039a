import { z } from 'zod';
import { endpoint } from './endpoint.js';
import { userName } from './login.js';

const traits = z.record(z.string(), z.array(z.string()));

export const userView = z.object({
  name: z.string(),
  roles: z.array(z.string()),
  traits,
  created: z.iso.datetime(),
  disabled: z.boolean(),
  /** False until an invitation was accepted. */
  activated: z.boolean(),
  totp: z.boolean(),
  /** Set while the user is locked out after failed logins. */
  lockedOutUntil: z.iso.datetime().optional(),
  generation: z.int(),
});

/** A link that works once; whoever has it chooses the user's password. */
export const invitation = z.object({ user: z.string(), token: z.string(), url: z.string(), expires: z.iso.datetime() });

export const listUsers = endpoint({
  method: 'GET',
  path: '/v1/users',
  summary: 'Lists the users.',
  access: { kind: 'user', verb: 'list' },
  input: z.object({}),
  output: z.array(userView),
});

export const createUser = endpoint({
  method: 'POST',
  path: '/v1/users',
  summary: 'Creates a user and a one-time invitation.',
  access: { kind: 'user', verb: 'create' },
  input: z.object({ name: userName, roles: z.array(z.string()).min(1), traits: traits.default({}) }),
  output: invitation,
});

export const updateUser = endpoint({
  method: 'PUT',
  path: '/v1/users/{name}',
  summary: "Changes a user's roles, traits or whether the user may log in. Older certificates stop working at once.",
  access: { kind: 'user', verb: 'update' },
  input: z.object({
    name: userName,
    roles: z.array(z.string()).min(1).optional(),
    traits: traits.optional(),
    disabled: z.boolean().optional(),
  }),
  output: userView,
});

export const resetUser = endpoint({
  method: 'POST',
  path: '/v1/users/{name}/reset',
  summary: 'Takes away password and second factors, ends sessions, and makes a one-time link to start anew.',
  access: { kind: 'user', verb: 'update' },
  input: z.object({ name: userName }),
  output: invitation,
});

export const unlockUser = endpoint({
  method: 'POST',
  path: '/v1/users/{name}/unlock',
  summary: 'Ends a lockout after failed logins.',
  access: { kind: 'user', verb: 'update' },
  input: z.object({ name: userName }),
  output: userView,
});

export const deleteUser = endpoint({
  method: 'DELETE',
  path: '/v1/users/{name}',
  summary: 'Deletes a user. Certificates stop working at once, and sessions end.',
  access: { kind: 'user', verb: 'delete' },
  input: z.object({ name: userName }),
  output: z.object({}),
});

export const getInvite = endpoint({
  method: 'GET',
  path: '/v1/invites/{token}',
  summary: 'Shows whose invitation this is, and a fresh TOTP secret to enrol.',
  access: 'public',
  input: z.object({ token: z.string().max(128) }),
  output: z.object({
    user: z.string(),
    purpose: z.enum(['invite', 'reset']),
    expires: z.iso.datetime(),
    totp: z.object({ secret: z.string(), uri: z.string() }),
  }),
});

export const acceptInvite = endpoint({
  method: 'POST',
  path: '/v1/invites/{token}',
  summary: 'Sets the password, and enrols the offered TOTP secret where a code of it is given. Works once.',
  access: 'public',
  input: z.object({
    token: z.string().max(128),
    password: z.string().min(1).max(1024),
    code: z.string().max(16).optional(),
  }),
  output: z.object({ user: z.string(), totp: z.boolean() }),
});
