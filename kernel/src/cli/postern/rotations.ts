import type { z } from 'zod';
import { listAuthorities, rotateAuthority, type rotationView } from '../../api/contract/authorities.js';
import type { Format } from '../output/formats.js';
import { showRows, showValue } from '../output/show.js';
import { relativeTime } from '../output/words.js';
import { withAdmin, type AdminOptions } from './with-admin.js';

type Options = AdminOptions & { readonly format: Format };
type Rotation = z.output<typeof rotationView>;
type Kind = Rotation['kind'];

/** `postern ca status`. */
export async function showStatus(options: Options): Promise<void> {
  const authorities = await withAdmin(options, (client) => client.call(listAuthorities, {}));
  const now = new Date();
  await showRows(
    authorities,
    [
      { title: 'AUTHORITY', value: ({ kind }) => kind },
      { title: 'PHASE', value: ({ phase }) => phase },
      { title: 'SINCE', value: ({ since }) => (since === undefined ? '-' : relativeTime(new Date(since), now)) },
      { title: 'SIGNS', value: ({ active }) => active.map(short).join(' ') },
      { title: 'TRUSTED', value: ({ trusted }) => trusted.map(short).join(' ') },
      { title: 'NEXT', value: (rotation) => nextText(rotation, now) },
    ],
    options.format,
  );
  if (options.format !== 'table') return;
  for (const { kind, blockers } of authorities)
    for (const blocker of blockers) process.stdout.write(`${kind}: ${blockerText(blocker)}\n`);
}

/** `postern ca rotate KIND`. */
export async function start(kind: string, { grace, ...options }: Options & { readonly grace?: number }): Promise<void> {
  await step({ kind: kind as Kind, step: 'start', ...(grace !== undefined && { grace }) }, options);
}

/** `postern ca advance KIND`. */
export async function advance(
  kind: string,
  { force = false, ...options }: Options & { readonly force?: boolean },
): Promise<void> {
  await step({ kind: kind as Kind, step: 'advance', force }, options);
}

/** `postern ca rollback KIND`. */
export async function rollBack(kind: string, options: Options): Promise<void> {
  await step({ kind: kind as Kind, step: 'rollback' }, options);
}

async function step(input: z.input<(typeof rotateAuthority)['input']>, options: Options): Promise<void> {
  const now = await withAdmin(options, (client) => client.call(rotateAuthority, input));
  if (options.format !== 'table') return showValue(now, options.format);
  process.stdout.write(`the ${now.kind} authority is in phase ${now.phase}; ${meaning[now.phase]}\n`);
  for (const blocker of now.blockers) process.stdout.write(`before ${now.next}: ${blockerText(blocker)}\n`);
  if (now.advances !== undefined) process.stdout.write(`${now.next} begins by itself at ${now.advances}\n`);
  else if (now.next !== undefined) process.stdout.write(`next, ${now.next}: postern ca advance ${now.kind}\n`);
}

const meaning: Readonly<Record<Rotation['phase'], string>> = {
  standby: 'one key signs, and no other is trusted',
  init: 'the new key is trusted, the old one signs',
  update_clients: 'both keys are trusted, and what certifies clients signs by the new one',
  update_servers: 'both keys are trusted, the new one signs',
  rollback: 'both keys are trusted, the old one signs again',
};

const short = (id: string): string => id.slice(0, 8);

function nextText({ next, advances }: Rotation, now: Date): string {
  if (next === undefined) return '-';
  return advances === undefined ? next : `${next} ${relativeTime(new Date(advances), now)}`;
}

const blockerText = ({ reason, until }: Rotation['blockers'][number]): string =>
  until === undefined ? reason : `${reason}, until ${until}`;
