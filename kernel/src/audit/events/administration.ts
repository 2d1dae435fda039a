import { event, field, type EventCatalog } from '@postern/plugin-sdk';
import { z } from 'zod';

const action = z.enum(['created', 'updated', 'deleted']);

/** What administrators changed, and the life of the services themselves. */
export const administrationEvents = {
  'cluster.started': event('A service began its work.', {
    version: field.public(z.string()),
    services: field.public(z.array(z.string())),
  }),
  'cluster.stopped': event('A service was told to stop, and did.', { reason: field.public(z.string()) }),
  'role.changed': event('A role was made, changed or removed.', {
    name: field.public(z.string()),
    action: field.public(action),
  }),
  'resource.changed': event('A resource was registered, changed or removed.', {
    kind: field.public(z.string()),
    name: field.public(z.string()),
    action: field.public(action),
  }),
  'api.denied': event(
    'Somebody asked the API for something that no role of theirs allows. At most one a minute for each.',
    {
      kind: field.public(z.string()),
      verb: field.public(z.string()),
      code: field.public(z.string()),
      message: field.public(z.string()),
    },
  ),
  'lock.created': event('Somebody or something was locked out of the whole cluster.', {
    name: field.public(z.string()),
    target: field.public(z.record(z.string(), z.string())),
    message: field.public(z.string().optional()),
    expires: field.public(z.iso.datetime().optional()),
  }),
  'lock.removed': event('A lock was lifted.', { name: field.public(z.string()) }),
} satisfies EventCatalog;
