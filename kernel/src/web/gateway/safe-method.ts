const safe: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** True for methods that only read (RFC 9110, section 9.2.1), of those that come here. */
export const isSafeMethod = (method: string | undefined): boolean => safe.has(method ?? '');
