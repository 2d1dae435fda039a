import { z } from 'zod';
import { isReservedName } from '../tunnels/index.js';

/** Labels of a resource: what roles select by. */
const labels = z.record(
  z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/, 'a label is named by letters, digits and . _ / -')
    .refine((key) => key !== '__proto__', 'reserved name'),
  z.string().max(512),
);

const resourceName = z
  .string()
  .regex(/^[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9])?$/, 'a resource is named by letters, digits and . _ -')
  .refine((name) => !isReservedName(name), 'names that begin so are reserved');

/** A resource: what a user connects to. `spec` is checked by the protocol whose id is `kind`. */
export const resourceDocument = z.strictObject({
  kind: z.string().regex(/^[a-z][a-z0-9-]{1,30}$/),
  name: resourceName,
  labels: labels.default({}),
  spec: z.record(z.string(), z.unknown()).default({}),
});
export type ResourceDocument = z.output<typeof resourceDocument>;

/** Where the documents lie in the store. */
export const prefixes = {
  roles: 'roles',
  resources: 'resources',
  locks: 'locks',
} as const;
