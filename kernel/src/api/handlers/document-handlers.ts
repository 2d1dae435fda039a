import { PosternError, type AnyProtocol } from '@postern/plugin-sdk';
import type { z } from 'zod';
import type { ClusterView } from '../../cluster/cluster-view.js';
import type { AnyDocument, DocumentService } from '../../cluster/document-service.js';
import { explain, reasonText, summary, visible } from '../../rbac/index.js';
import { healthDetail, healthWords, type HealthTable, type ResourceHealth } from '../../sessions/index.js';
import { routeName } from '../../tunnels/index.js';
import { callerName, type Caller } from '../caller.js';
import {
  deleteDocument,
  explainAccess,
  getDocument,
  listDocuments,
  listResources,
  putDocument,
  type resourceView,
  type document as documentSchema,
  type Verb,
} from '../contract/index.js';
import { implement, type Handler } from '../handler.js';
import { requireUser } from '../require-user.js';
import type { Explainer } from '../../cluster/explainer.js';

export interface DocumentHandlersOptions {
  readonly documents: DocumentService;
  readonly explainer: Explainer;
  readonly view: ClusterView;
  readonly health: HealthTable;
  readonly protocols: ReadonlyMap<string, AnyProtocol>;
  readonly now: () => Date;
  /** Rejects with the denial where the caller may not do this. */
  authorize(caller: Caller, rule: { readonly kind: string; readonly verb: Verb }): Promise<void>;
}

/** Whoever writes roles could give any to anybody: to register resources is not enough for it. */
async function mayChange(
  { authorize }: Pick<DocumentHandlersOptions, 'authorize'>,
  { caller, kind, verb }: { readonly caller: Caller; readonly kind: string; readonly verb: Verb },
): Promise<void> {
  if (kind === 'role') await authorize(caller, { kind, verb });
}

export function documentHandlers(options: DocumentHandlersOptions): readonly Handler[] {
  const { documents } = options;
  const shown = (found: AnyDocument): z.input<typeof documentSchema> => ({
    ...found,
    ...healthOf(options.health.get(found), healthDetail),
  });
  return [
    implement(listResources, ({ kind }, { caller }) => {
      const identity = requireUser(caller);
      const { view, protocols, now } = options;
      const { roles, locks } = view;
      const user = view.user(identity.user);
      const subject = { identity, source: caller.source, now: now(), user, roles, locks };
      const wanted = view.resources.filter((resource) => kind === undefined || resource.kind === kind);
      return visible(subject, wanted, protocols).map(({ resource, principals }) => ({
        ...resource,
        hostname: routeName(view.cluster, resource.kind, resource.name),
        principals: [...principals],
        ...transportOf(protocols.get(resource.kind)),
        ...healthOf(options.health.get(resource), healthWords),
      }));
    }),
    implement(listDocuments, async ({ kind }) => (await documents.list(kind)).map(shown)),
    implement(getDocument, async ({ kind, name }) => shown(await documents.get(kind, name))),
    implement(putDocument, async ({ kind, name, document }, { caller }) => {
      if (document.kind !== kind || document.name !== name)
        throw PosternError.public('invalid_argument', 'the document has another kind or name than the address');
      await mayChange(options, { caller, kind, verb: 'update' });
      const { warnings, ...put } = await documents.put(document as AnyDocument, callerName(caller));
      return { created: put.created, document: shown(put.document), warnings: [...warnings] };
    }),
    implement(deleteDocument, async ({ kind, name }, { caller }) => {
      await mayChange(options, { caller, kind, verb: 'delete' });
      await documents.delete(kind, name, callerName(caller));
      return {};
    }),
    implement(explainAccess, async ({ user, kind, name, ask }) => {
      const decision = await options.explainer.explain(user, { kind, name }, ask);
      return {
        allowed: decision.allowed,
        summary: summary(decision),
        text: explain(decision),
        reasons: decision.because.map(reasonText),
        ...(decision.allowed && { options: { ...decision.options } }),
      };
    }),
  ];
}

/** The health of a resource as the API shows it, where it is known. */
function healthOf(
  known: ResourceHealth | undefined,
  textOf: (health: ResourceHealth) => string,
): Pick<z.input<typeof documentSchema>, 'health'> {
  if (!known) return {};
  const detail = textOf(known);
  const at = known.at.toISOString();
  return { health: { ok: known.ok, ...(!known.ok && { reason: known.reason }), detail, at } };
}

/** What programs without the plugin must know to connect. */
function transportOf(protocol: AnyProtocol | undefined): Pick<z.input<typeof resourceView>, 'transport'> {
  if (!protocol) return {};
  const { transport } = protocol;
  if (transport.kind === 'native') return { transport };
  const { kind, alpn, forward } = transport;
  return { transport: { kind, ...(alpn && { alpn: [...alpn] }), ...(forward && { forward }) } };
}
