import { listResources } from '../../api/contract/documents.js';
import type { Format } from '../output/formats.js';
import { showRows } from '../output/show.js';
import { labelText } from '../output/words.js';
import type { Reachable } from './configure.js';
import { withClient } from './with-client.js';

export interface ListOptions {
  readonly cluster?: string;
  readonly label?: Readonly<Record<string, string>>;
  readonly format: Format;
}

/** `psh ls`. */
export async function ls(kind: string | undefined, { cluster, label = {}, format }: ListOptions): Promise<void> {
  const all = await withClient(cluster, (client) => client.call(listResources, kind === undefined ? {} : { kind }));
  const wanted = Object.entries(label);
  await showResources(
    all.filter(({ labels }) => wanted.every(([name, value]) => labels[name] === value)),
    format,
  );
}

export async function showResources(resources: readonly Reachable[], format: Format): Promise<void> {
  await showRows(
    [...resources].sort((a, b) => a.kind.localeCompare(b.kind) || a.name.localeCompare(b.name)),
    [
      { title: 'KIND', value: ({ kind }) => kind },
      { title: 'NAME', value: ({ name }) => name },
      { title: 'AS', value: ({ principals }) => principals.join(', ') },
      { title: 'LABELS', value: ({ labels }) => labelText(labels) },
      { title: 'ADDRESS', value: ({ hostname }) => hostname },
      { title: 'HEALTH', value: ({ health }) => health?.detail ?? '-' },
    ],
    format,
  );
}
