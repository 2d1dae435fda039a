import type { z } from 'zod';
import { createLock, deleteLock, listLocks, type lockView } from '../../api/contract/locks.js';
import { PosternError } from '@postern/plugin-sdk';
import type { Format } from '../output/formats.js';
import { showRows, showValue } from '../output/show.js';
import { relativeTime } from '../output/words.js';
import { withAdmin, type AdminOptions } from './with-admin.js';

type Options = AdminOptions & { readonly format: Format };

export interface NewLockOptions extends Options {
  readonly user?: string;
  readonly role?: string;
  readonly serial?: string;
  readonly mfaDevice?: string;
  readonly resource?: string;
  readonly message?: string;
  /** Seconds. */
  readonly ttl?: number;
}

export async function add(lock: NewLockOptions): Promise<void> {
  const { user, role, serial, mfaDevice, resource, message = '', ttl, ...options } = lock;
  const target = { user, role, serial, mfa_device: mfaDevice, resource };
  if (Object.values(target).filter((value) => value !== undefined).length !== 1)
    throw PosternError.public(
      'invalid_argument',
      'lock exactly one of --user, --role, --serial, --mfa-device and --resource',
    );
  const made = await withAdmin(options, (client) =>
    client.call(createLock, { target, message, ...(ttl !== undefined && { ttl }) }),
  );
  if (options.format !== 'table') return showValue(made, options.format);
  process.stdout.write(
    `${targetText(made)} locked by ${made.id}; sessions are cut. Remove: postern lock rm ${made.id}\n`,
  );
}

export async function listAll(options: Options): Promise<void> {
  const locks = await withAdmin(options, (client) => client.call(listLocks, {}));
  const now = new Date();
  await showRows(
    locks,
    [
      { title: 'ID', value: ({ id }) => id },
      { title: 'TARGET', value: targetText },
      {
        title: 'ENDS',
        value: ({ expires }) => (expires === undefined ? 'never' : relativeTime(new Date(expires), now)),
      },
      { title: 'BY', value: ({ createdBy }) => createdBy },
      { title: 'MESSAGE', value: ({ message }) => message },
    ],
    options.format,
  );
}

export async function remove(id: string, options: Options): Promise<void> {
  await withAdmin(options, (client) => client.call(deleteLock, { id }));
  process.stdout.write(`lock ${id} removed\n`);
}

const targetText = ({ target }: z.output<typeof lockView>): string =>
  Object.entries(target)
    .flatMap(([name, value]) => (value === undefined ? [] : `${name.replace('_', ' ')} ${value}`))
    .join(', ');
