import type { ResourceName } from '../sessions/index.js';

const maxLength = 4096;

/** What a path below `/web/` names: a resource, and what is left, beginning with a slash and with the query. */
export interface ResourcePath extends ResourceName {
  readonly rest: string;
}

/** Reads `/web/<kind>/<name>/<rest>`; `undefined` for any other path. Names are percent-encoded where they must be. */
export function readResourcePath(path: string): ResourcePath | undefined {
  if (path.length > maxLength) return undefined;
  const found = /^\/web\/([a-z0-9-]{1,63})\/([^/?#]{1,768})(\/[\x21-\x22\x24-\x7e]*)$/.exec(path);
  const [, kind, encoded, rest] = found ?? [];
  if (kind === undefined || encoded === undefined || rest === undefined) return undefined;
  try {
    return { kind, name: decodeURIComponent(encoded), rest };
  } catch {
    return undefined;
  }
}

/** The path of a resource's page. */
export const resourcePath = ({ kind, name }: ResourceName): string => `/web/${kind}/${encodeURIComponent(name)}/`;
