import { PosternError, type ProxyModule } from '@postern/plugin-sdk';

/** One plugin's proxy half, by the id of its protocol. */
export interface ProxyHalf {
  readonly id: string;
  load(): Promise<ProxyModule>;
}

export type Recognised =
  | { readonly kind: 'yes'; readonly id: string; readonly module: ProxyModule }
  | { readonly kind: 'no' }
  | { readonly kind: 'more' };

/**
 * The openings that plugins recognise, asked in the order of the list. Loaded
 * when the first connection comes that does not open with TLS; a half that
 * cannot be loaded is tried again at the next one.
 */
export class ProxyHalves {
  #loaded: Promise<readonly (readonly [string, ProxyModule])[]> | undefined;

  constructor(private readonly halves: readonly ProxyHalf[]) {}

  async recognise(head: Buffer): Promise<Recognised> {
    let open = false;
    for (const [id, module] of await this.#load()) {
      const answer = module.recognise(head);
      if (answer === 'yes') return { kind: 'yes', id, module };
      if (answer === 'more') open = true;
    }
    return { kind: open ? 'more' : 'no' };
  }

  #load(): Promise<readonly (readonly [string, ProxyModule])[]> {
    this.#loaded ??= Promise.all(this.halves.map(async (half) => [half.id, await half.load()] as const)).catch(
      (cause: unknown) => {
        this.#loaded = undefined;
        throw new PosternError('internal', 'a proxy half could not be loaded', { cause });
      },
    );
    return this.#loaded;
  }
}
