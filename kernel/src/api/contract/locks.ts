import { z } from 'zod';
import { endpoint } from './endpoint.js';
import { seconds } from './login.js';

/** Exactly one member is set. */
export const lockTarget = z
  .strictObject({
    user: z.string().optional(),
    role: z.string().optional(),
    serial: z.string().optional(),
    /** As events name it: `user/device`. */
    mfa_device: z.string().optional(),
    /** `<kind>/<name>`. */
    resource: z.string().optional(),
  })
  .refine((target) => Object.values(target).filter((value) => value !== undefined).length === 1, {
    message: 'name exactly one of user, role, serial, mfa_device and resource',
  });

export const lockView = z.object({
  id: z.string(),
  target: lockTarget,
  message: z.string(),
  created: z.iso.datetime(),
  createdBy: z.string(),
  expires: z.iso.datetime().optional(),
});

export const listLocks = endpoint({
  method: 'GET',
  path: '/v1/locks',
  summary: 'Lists the locks in force.',
  access: { kind: 'lock', verb: 'list' },
  input: z.object({}),
  output: z.array(lockView),
});

export const createLock = endpoint({
  method: 'POST',
  path: '/v1/locks',
  summary: 'Cuts the live sessions of whatever it names and refuses new ones.',
  access: { kind: 'lock', verb: 'create' },
  input: z.object({ target: lockTarget, message: z.string().max(512).default(''), ttl: seconds.optional() }),
  output: lockView,
});

export const deleteLock = endpoint({
  method: 'DELETE',
  path: '/v1/locks/{id}',
  summary: 'Removes a lock.',
  access: { kind: 'lock', verb: 'delete' },
  input: z.object({ id: z.string() }),
  output: z.object({}),
});
