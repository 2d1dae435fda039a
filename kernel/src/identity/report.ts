/** Reports what happened to the audit log; resolves once it is accepted there. Rejecting means that it must not happen. */
export type Report = (
  type: string,
  about: { readonly user?: string; readonly source?: string; readonly fields?: Readonly<Record<string, unknown>> },
) => Promise<void>;
