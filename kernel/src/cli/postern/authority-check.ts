import { existsSync } from 'node:fs';
import { PosternError } from '@postern/plugin-sdk';
import {
  authorityPrefix,
  CertificateIssuer,
  EnvelopeSealer,
  openWrappingKey,
  sealedAuthorityPrefix,
} from '../../certificates/index.js';
import { DataDirectory } from '../../cluster/data-directory.js';
import type { Configuration } from '../../configuration/index.js';
import { storeFile } from '../../storage/open-storage.js';
import type { Entry } from '../../storage/store.js';

/** Whether what was sealed somewhere else can be opened here: shown on the authorities, which every cluster has. */
export class AuthorityCheck {
  readonly #entries = new Map<string, Entry>();

  add(entry: Entry): void {
    if (entry.key.startsWith(authorityPrefix) || entry.key.startsWith(sealedAuthorityPrefix))
      this.#entries.set(entry.key, entry);
  }

  /** Throws `not_found` where there was none: what was read belongs to no cluster. */
  assertFound(where: string): void {
    const some = [...this.#entries.keys()].some((key) => key.startsWith(authorityPrefix));
    if (!some) throw PosternError.public('not_found', `there is no cluster in ${where}: it has no authorities`);
  }

  /** For what has authorities: rejects with `invalid_config` where the wrapping key is missing, does not fit, or the cluster is another. */
  async opensWith({ auth, data, cluster }: Configuration): Promise<void> {
    const path = auth.wrapping_key ?? (await DataDirectory.open(data)).wrappingKey;
    if (!existsSync(path))
      throw PosternError.public(
        'invalid_config',
        `there is no wrapping key at ${path}: put the one of the cluster there first; no backup has it`,
      );
    const sealer = new EnvelopeSealer(await openWrappingKey({ path, storePaths: [storeFile(data)] }));
    const store = {
      get: async (key: string): Promise<Entry | undefined> => this.#entries.get(key),
      commit: async (): Promise<number> => {
        throw new PosternError('invalid_config', 'an authority is missing');
      },
    };
    await CertificateIssuer.open({ store, sealer, cluster, now: () => new Date() }).catch((cause: unknown) => {
      const reason = PosternError.from(cause).message;
      throw PosternError.public('invalid_config', `the authorities cannot be opened with ${path}: ${reason}`, cause);
    });
  }
}
