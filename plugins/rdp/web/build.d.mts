/** Bundles the page. */
export function bundlePage(): Promise<void>;
/** Bundles the page, unless nothing has changed since. */
export function bundlePageIfStale(): Promise<void>;
