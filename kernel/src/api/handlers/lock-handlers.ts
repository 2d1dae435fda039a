import type { z } from 'zod';
import type { LockDocument, LockService } from '../../cluster/lock-service.js';
import { callerName } from '../caller.js';
import { createLock, deleteLock, listLocks, type lockView } from '../contract/index.js';
import { implement, type Handler } from '../handler.js';

export function lockHandlers(locks: LockService): readonly Handler[] {
  return [
    implement(listLocks, async () => (await locks.list()).map(viewOf)),
    implement(createLock, async ({ target, message, ttl }, { caller }) =>
      viewOf(
        await locks.create({ target, message, ttlMs: ttl === undefined ? undefined : ttl * 1000 }, callerName(caller)),
      ),
    ),
    implement(deleteLock, async ({ id }, { caller }) => {
      await locks.delete(id, callerName(caller));
      return {};
    }),
  ];
}

function viewOf({
  name,
  target,
  message,
  created = '',
  created_by = '',
  expires,
}: LockDocument): z.input<typeof lockView> {
  const { user, role, serial, mfa_device, resource } = target;
  return {
    id: name,
    target: { user, role, serial, mfa_device, resource },
    message,
    created,
    createdBy: created_by,
    ...(expires !== undefined && { expires }),
  };
}
