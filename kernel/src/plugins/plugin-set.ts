import { PosternError, type AnyProtocol, type Plugin } from '@postern/plugin-sdk';
import { nearest, type DocumentSource } from '../configuration/index.js';
import { importPlugin } from './import-plugin.js';

/** One enabled plugin with its section of the configuration, checked by its own schema. */
export interface EnabledPlugin {
  readonly plugin: Plugin;
  readonly config: unknown;
}

export interface PluginSelection {
  /** The plugins that are part of the product. They are enabled without a section. */
  readonly standard: readonly Plugin[];
  /** The `plugins` section of the configuration. */
  readonly sections: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** For errors that point at a line. */
  readonly source: DocumentSource;
  /** Where relative paths and package names are resolved from. */
  readonly directory: string;
}

/** The protocols of this process. Immutable once loaded. */
export class PluginSet implements Iterable<EnabledPlugin> {
  readonly #byId: ReadonlyMap<string, EnabledPlugin>;
  /** The declarative halves by id: all that a decision needs. */
  readonly protocols: ReadonlyMap<string, AnyProtocol>;

  constructor(enabled: readonly EnabledPlugin[]) {
    this.#byId = new Map(enabled.map((one) => [one.plugin.protocol.id, one]));
    this.protocols = new Map(enabled.map(({ plugin }) => [plugin.protocol.id, plugin.protocol]));
  }

  /**
   * Loads what the configuration enables. Throws `invalid_config` that names
   * file and line: an unknown plugin, a package that is none, a section that its
   * schema refuses. `enabled: false` in a section leaves a standard plugin out.
   */
  static async load({ standard, sections, source, directory }: PluginSelection): Promise<PluginSet> {
    const known = new Map(standard.map((plugin) => [plugin.protocol.id, plugin]));
    for (const id of Object.keys(sections)) if (reserved.includes(id)) throw taken(source.at(['plugins', id]), id);
    for (const [id, { package: name, path }] of Object.entries(sections)) {
      const at = source.at(['plugins', id]);
      if (typeof name === 'string' || typeof path === 'string')
        known.set(id, await importPlugin({ id, at, directory, name, path }));
      else if (!known.has(id)) throw unknownPlugin(at, id, [...known.keys()]);
    }
    const enabled: EnabledPlugin[] = [];
    for (const [id, plugin] of known) {
      const { package: _package, path: _path, enabled: wanted = true, ...section } = sections[id] ?? {};
      if (wanted === false) continue;
      enabled.push({ plugin, config: source.checkAt(['plugins', id], plugin.protocol.config, section) });
    }
    return new PluginSet(enabled);
  }

  get(id: string): EnabledPlugin | undefined {
    return this.#byId.get(id);
  }

  [Symbol.iterator](): Iterator<EnabledPlugin> {
    return this.#byId.values();
  }
}

/** What already means something where protocols are named, in role documents and in names. */
const reserved = ['rules', 'auth', 'role', 'lock', 'user'];

const taken = (at: string, id: string): PosternError =>
  PosternError.public('invalid_config', `${at}: no plugin can be called ${id}, since the kernel uses the word`);

function unknownPlugin(at: string, id: string, known: readonly string[]): PosternError {
  const meant = nearest(id, known);
  const hint = meant ? `did you mean ${meant}?` : 'a plugin that is not part of Postern needs `package` or `path`';
  return PosternError.public('invalid_config', `${at}: there is no plugin ${id}; ${hint}`);
}
