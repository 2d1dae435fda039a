import { PosternError, type AnyProtocol } from '@postern/plugin-sdk';
import { type z } from 'zod';
import { nearest } from '../configuration/index.js';
import { checkRole, parseRole, problemText, roleDocument, type Role } from '../rbac/index.js';
import { Collection, type Document, type Store } from '../storage/index.js';
import { prefixes, resourceDocument, type ResourceDocument } from './documents.js';
import type { Report } from './report.js';

/** A document as the API shows it. */
export type AnyDocument = { readonly kind: string; readonly name: string; readonly revision?: number } & Readonly<
  Record<string, unknown>
>;

export interface DocumentServiceOptions {
  readonly store: Store;
  readonly protocols: ReadonlyMap<string, AnyProtocol>;
  readonly report: Report;
}

/** The documents that people write: roles, and resources of every protocol's kind. Each is checked before it is stored. */
export class DocumentService {
  readonly #roles: Collection<Role>;
  readonly #resources: Collection<ResourceDocument>;

  constructor(private readonly options: DocumentServiceOptions) {
    this.#roles = new Collection(options.store, prefixes.roles, roleDocument);
    this.#resources = new Collection(options.store, prefixes.resources, resourceDocument);
  }

  async list(kind: string): Promise<readonly AnyDocument[]> {
    if (kind === 'role') return (await this.#roles.list()).map(shown);
    if (kind === 'resource') return (await this.#resources.list()).map(shown);
    this.#mustBeKnown(kind);
    return (await this.#resources.list({ under: kind })).map(shown);
  }

  /** Rejects with `not_found`. */
  async get(kind: string, name: string): Promise<AnyDocument> {
    const found = await this.#find(kind, name);
    if (!found) throw PosternError.public('not_found', `there is no ${kind} ${name}`);
    return shown<Role | ResourceDocument>(found);
  }

  /**
   * Creates or replaces a document. With a `revision` in it, only what is still
   * at that revision is replaced: else `conflict`. Rejects with
   * `invalid_argument` that names every mistake.
   */
  async put(
    document: AnyDocument,
    by: string,
  ): Promise<{ readonly document: AnyDocument; readonly created: boolean; readonly warnings: readonly string[] }> {
    // What the cluster adds when it shows a document is not part of what is written.
    const { revision, health: _, ...written } = document;
    const { kind, name } = written;
    const before = await this.#find(kind, name);
    if (revision !== undefined && before?.revision !== revision)
      throw PosternError.public('conflict', `${kind} ${name} was changed meanwhile: read it again`);
    const { write, warnings } = kind === 'role' ? this.#writeRole(written) : this.#writeResource(written);
    await this.#report(kind, name, before ? 'updated' : 'created', by);
    const check = [{ key: write.key, revision: before?.revision ?? 0 }];
    await this.options.store.commit({ check, put: [write] });
    return { document: await this.get(kind, name), created: !before, warnings };
  }

  /** Rejects with `not_found`. */
  async delete(kind: string, name: string, by: string): Promise<void> {
    await this.get(kind, name);
    await this.#report(kind, name, 'deleted', by);
    if (kind === 'role') await this.#roles.delete(name);
    else await this.#resources.delete([kind, name]);
  }

  #find(kind: string, name: string): Promise<Document<Role> | Document<ResourceDocument> | undefined> {
    if (kind === 'role') return this.#roles.get(name);
    this.#mustBeKnown(kind);
    return this.#resources.get([kind, name]);
  }

  #writeRole(written: object): { readonly write: ReturnType<Collection<Role>['write']>; readonly warnings: string[] } {
    const role = parseRole(written, this.options.protocols);
    const { warnings } = checkRole(written, this.options.protocols);
    return { write: this.#roles.write(role.name, role), warnings: warnings.map(problemText) };
  }

  #writeResource(written: object): {
    readonly write: ReturnType<Collection<ResourceDocument>['write']>;
    readonly warnings: string[];
  } {
    const resource = check(resourceDocument, written, 'the document');
    const protocol = this.options.protocols.get(resource.kind);
    // Defaults are filled in when the resource is used, so that a newer plugin's new ones apply.
    if (protocol) check(protocol.auth.resource as z.ZodType, resource.spec, 'spec');
    return { write: this.#resources.write([resource.kind, resource.name], resource), warnings: [] };
  }

  #report(kind: string, name: string, action: 'created' | 'updated' | 'deleted', by: string): Promise<void> {
    if (kind === 'role') return this.options.report('role.changed', { user: by }, { name, action });
    return this.options.report('resource.changed', { user: by }, { kind, name, action });
  }

  #mustBeKnown(kind: string): void {
    const known = ['role', ...this.options.protocols.keys()];
    if (known.includes(kind)) return;
    const meant = nearest(kind, known);
    const hint = meant ? `did you mean ${meant}?` : `known: ${known.join(', ')}`;
    throw PosternError.public('invalid_argument', `there is no kind ${kind}; ${hint}`);
  }
}

const shown = <T extends { readonly kind: string; readonly name: string }>({
  value,
  revision,
}: Document<T>): AnyDocument => ({
  ...value,
  revision,
});

function check<S extends z.ZodType>(schema: S, value: unknown, what: string): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issues = result.error.issues.map(({ path, message }) => `${[what, ...path.map(String)].join('.')}: ${message}`);
  throw PosternError.public('invalid_argument', issues.join('\n'));
}
