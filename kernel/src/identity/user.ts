import { z } from 'zod';
import { userName } from '../api/contract/login.js';

/** A user as replicas see it. Nothing here is secret. */
export const user = z.strictObject({
  name: userName,
  roles: z.array(z.string()),
  traits: z.record(z.string(), z.array(z.string())),
  created: z.iso.datetime(),
  disabled: z.boolean(),
  /** Goes up whenever something was taken away; certificates of an older generation are refused. */
  generation: z.int().positive(),
  activated: z.boolean(),
  totp: z.boolean(),
});
export type User = z.output<typeof user>;

const totp = { secret: z.string(), lastStep: z.int() };

/** What shows the codes of one seed. `lastStep` is the newest step of which a code was used. */
const device = z.strictObject({ ...totp, name: z.string(), added: z.iso.datetime().optional() });
export type Device = z.output<typeof device>;

/** The name of a device that nobody has named. */
export const defaultDevice = 'totp';

/** A device as certificates, events and locks name it: two users may both have a `phone`. */
export const deviceId = (user: string, device: string): string => `${user}/${device}`;

/** How a user proves who he is; stored sealed. */
export const userSecrets = z
  .strictObject({
    passwordHash: z.string(),
    /** Must be replaced at the first login. */
    oneTime: z.boolean().default(false),
    devices: z.array(device).default([]),
    /** Where it was stored before devices had names. */
    totp: z.strictObject(totp).optional(),
  })
  .transform(({ totp: unnamed, devices, ...rest }) => ({
    ...rest,
    devices: unnamed ? [{ name: defaultDevice, ...unnamed }, ...devices] : devices,
  }));
export type UserSecrets = z.output<typeof userSecrets>;
