import type { ClusterView } from './cluster-view.js';
import type { AnyDocument, DocumentService } from './document-service.js';

export interface RegisterOptions {
  readonly documents: DocumentService;
  readonly view: ClusterView;
  readonly agent: string;
  /** The resource documents of the agent's own configuration. */
  readonly declared: readonly Readonly<Record<string, unknown>>[];
}

/** Registers what an agent's configuration declares. A document that is there already and the same is left alone. */
export async function registerResources({ documents, view, agent, declared }: RegisterOptions): Promise<void> {
  for (const document of declared) {
    const { kind, name, labels = {}, spec = {} } = document as AnyDocument;
    const known = view.resources.find((one) => one.kind === kind && one.name === name);
    if (known && JSON.stringify([known.labels, known.spec]) === JSON.stringify([labels, spec])) continue;
    await documents.put({ kind, name, labels, spec }, `agent ${agent}`);
  }
}
