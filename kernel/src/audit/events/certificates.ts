import { event, field, type EventCatalog } from '@postern/plugin-sdk';
import { z } from 'zod';

/** Everything that a certificate authority signed or would not sign. */
export const certificateEvents = {
  'certificate.issued': event('A certificate authority signed a certificate.', {
    authority: field.public(z.string()),
    format: field.public(z.string()),
    serial: field.public(z.string()),
    subject: field.public(z.string()),
    principals: field.public(z.array(z.string()).optional()),
    roles: field.public(z.array(z.string()).optional()),
    expires: field.public(z.iso.datetime()),
    purpose: field.public(z.string().optional()),
  }),
  'certificate.refused': event('Somebody asked for a certificate and was denied it.', {
    authority: field.public(z.string()),
    subject: field.public(z.string().optional()),
    code: field.public(z.string()),
    message: field.public(z.string()),
  }),
  'authority.rotated': event('A certificate authority took a step of a rotation to another key.', {
    authority: field.public(z.string()),
    from: field.public(z.string()),
    to: field.public(z.string()),
    /** What stood in the way, where somebody insisted. */
    against: field.public(z.array(z.string()).optional()),
  }),
} satisfies EventCatalog;
