/**
 * Reports what happened to the audit log; resolves once it is accepted there.
 * Rejecting means that it must not happen. `user` is the one who acts.
 */
export type Report = (
  type: string,
  about: {
    readonly user?: string | undefined;
    readonly source?: string | undefined;
    readonly fields: Readonly<Record<string, unknown>>;
  },
) => Promise<void>;
