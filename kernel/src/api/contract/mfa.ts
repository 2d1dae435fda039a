import { z } from 'zod';
import { endpoint } from './endpoint.js';
import { userName } from './login.js';

const device = z
  .string()
  .min(1)
  .max(32)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'letters, digits and . _ - only');

/** What a login would take: a certificate alone changes nothing here. */
const proof = {
  user: userName,
  password: z.string().min(1).max(1024),
  /** The current code of any device, where the user has one: without it the answer is `mfa_required`. */
  code: z.string().max(16).optional(),
};

export const deviceView = z.object({ name: z.string(), added: z.iso.datetime().optional() });

export const listDevices = endpoint({
  method: 'GET',
  path: '/v1/mfa/devices',
  summary: 'Lists the devices that show codes of the caller.',
  access: 'user',
  input: z.object({}),
  output: z.array(deviceView),
});

export const addDevice = endpoint({
  method: 'POST',
  path: '/v1/mfa/devices',
  summary: 'Offers a TOTP secret for another device, which counts once a code of it was confirmed.',
  access: 'public',
  input: z.object({ ...proof, device }),
  output: z.object({
    device: z.string(),
    /** For {@link confirmDevice}. */
    token: z.string(),
    secret: z.string(),
    uri: z.string(),
    expires: z.iso.datetime(),
  }),
});

export const confirmDevice = endpoint({
  method: 'POST',
  path: '/v1/mfa/devices/confirm',
  summary: 'Adds the device whose secret was offered, for a code of it. Five wrong codes end the offer.',
  access: 'public',
  input: z.object({ user: userName, token: z.string().max(128), code: z.string().max(16) }),
  output: z.object({ device: z.string() }),
});

export const removeDevice = endpoint({
  method: 'POST',
  path: '/v1/mfa/devices/remove',
  summary: 'Removes a device. Certificates that were issued before stop working.',
  access: 'public',
  input: z.object({ ...proof, device }),
  output: z.object({}),
});
