import { webAlpn } from '@postern/plugin-sdk';
import type { z } from 'zod';
import { compileLabels, selects, type LabelConditions, type LabelSelector } from '../rbac/index.js';
import type { ResourceDocument } from '../cluster/documents.js';
import { routeLabel, type ServedRoute } from '../tunnels/index.js';
import type { AgentServices } from './agent-services.js';
import type { PluginRuntime } from './plugin-runtime.js';
import { ServerIdentity } from './server-identity.js';

/** A resource that this agent serves right now. */
export interface ServedResource {
  /** With the protocol's defaults filled in. */
  readonly document: ResourceDocument;
  /** As the cluster knows it. */
  readonly registered: ResourceDocument;
  readonly runtime: PluginRuntime;
  readonly server: ServerIdentity;
}

export interface ServedResourcesOptions {
  readonly services: AgentServices;
  readonly runtimes: ReadonlyMap<string, PluginRuntime>;
  /** The labels of the resources that this agent accepts. */
  readonly accept: LabelConditions;
}

/**
 * Which of the cluster's resources this agent serves: those of its plugins
 * whose labels it accepts. One whose document is the same stays the same object.
 */
export class ServedResources implements Iterable<ServedResource> {
  readonly #accept: LabelSelector;
  #byRoute = new Map<string, ServedResource>();

  constructor(private readonly options: ServedResourcesOptions) {
    this.#accept = compileLabels(options.accept);
  }

  /** Takes over what the cluster knows now. Returns what came and what went, as routes. */
  refresh(): { readonly added: readonly ServedRoute[]; readonly removed: readonly ServedRoute[] } {
    const before = this.#byRoute;
    const after = new Map<string, ServedResource>();
    for (const document of this.options.services.view.resources) {
      const served = this.#serve(document, before);
      if (served) after.set(keyOf(routeOf(document)), served);
    }
    this.#byRoute = after;
    return { added: difference(after, before), removed: difference(before, after) };
  }

  find(route: ServedRoute): ServedResource | undefined {
    return this.#byRoute.get(keyOf(route));
  }

  has({ kind, name }: { readonly kind: string; readonly name: string }): boolean {
    return this.find({ kind, label: routeLabel(name) })?.document.name === name;
  }

  get routes(): readonly ServedRoute[] {
    return [...this.#byRoute.values()].map(({ document }) => routeOf(document));
  }

  get size(): number {
    return this.#byRoute.size;
  }

  [Symbol.iterator](): Iterator<ServedResource> {
    return this.#byRoute.values();
  }

  #serve(document: ResourceDocument, before: ReadonlyMap<string, ServedResource>): ServedResource | undefined {
    const { services, runtimes } = this.options;
    const known = before.get(keyOf(routeOf(document)));
    if (known?.registered === document) return known;
    const runtime = runtimes.get(document.kind);
    if (!runtime || !selects(this.#accept, 'allow', document.labels, {})) return undefined;
    const schema = runtime.protocol.auth.resource as z.ZodType<ResourceDocument['spec']>;
    const spec = schema.safeParse(document.spec);
    if (!spec.success) {
      services.log.warn('a resource cannot be served', { kind: document.kind, name: document.name });
      return undefined;
    }
    const { kind, name } = document;
    const { transport } = runtime.protocol;
    const alpn = transport.kind === 'tls' ? [...(transport.alpn ?? []), ...(transport.web ? [webAlpn] : [])] : [];
    const server = known?.server ?? new ServerIdentity({ kind, name, alpn }, services);
    return { document: { ...document, spec: spec.data }, registered: document, runtime, server };
  }
}

const routeOf = ({ kind, name }: ResourceDocument): ServedRoute => ({ kind, label: routeLabel(name) });

const keyOf = ({ kind, label }: ServedRoute): string => `${label}.${kind}`;

function difference(
  these: ReadonlyMap<string, ServedResource>,
  without: ReadonlyMap<string, ServedResource>,
): readonly ServedRoute[] {
  return [...these].flatMap(([key, { document }]) => (without.has(key) ? [] : routeOf(document)));
}
