import { event, field, type EventCatalog } from '@postern/plugin-sdk';
import { z } from 'zod';

const name = z.string();
const instant = z.iso.datetime();

/** Who proved who they are, and what became of their accounts. `user` in the envelope is the one who acted. */
export const userEvents = {
  'user.login': event('A user logged in.', {
    method: field.public(z.string()),
    connector: field.public(z.string().optional()),
    mfa: field.public(z.string().optional()),
    via: field.public(z.string().optional()),
  }),
  'user.login_failed': event('Somebody tried to log in and did not get in.', {
    method: field.public(z.string()),
    reason: field.public(z.string()),
    connector: field.public(z.string().optional()),
    name: field.sensitive(z.string().max(512).optional()),
  }),
  'user.logout': event('A browser session is over: its user left, or lost the right to it.', {
    reason: field.public(z.string()),
    via: field.public(z.string().optional()),
  }),
  'user.locked_out': event('Too many failures: the account takes no more attempts for a while.', {
    name: field.public(name),
    failures: field.public(z.int().positive()),
    until: field.public(instant),
  }),
  'user.created': event('An account was made.', {
    name: field.public(name),
    roles: field.public(z.array(z.string())),
    origin: field.public(z.string()),
  }),
  'user.changed': event('An account was changed.', {
    name: field.public(name),
    changes: field.public(z.array(z.string())),
    generation: field.public(z.int().nonnegative().optional()),
  }),
  'user.mfa_added': event(
    'A user added a device that shows codes, by password, a code of it, and one of an earlier device.',
    {
      name: field.public(name),
      device: field.public(z.string()),
    },
  ),
  'user.mfa_removed': event('A user removed a device that shows codes. Certificates issued before stop working.', {
    name: field.public(name),
    device: field.public(z.string()),
  }),
  'user.deleted': event('An account was removed.', { name: field.public(name) }),
  'user.invited': event('Somebody may set up an account through a link.', {
    name: field.public(name),
    expires: field.public(instant),
  }),
} satisfies EventCatalog;
