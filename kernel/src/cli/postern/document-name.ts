import { PosternError } from '@postern/plugin-sdk';

/** Reads `kind name` or `kind/name`. Throws `invalid_argument` where a name is needed and there is none. */
export function documentName(kind: string, name: string | undefined): { readonly kind: string; readonly name: string } {
  const at = kind.indexOf('/');
  if (name === undefined && at > 0) return { kind: kind.slice(0, at), name: kind.slice(at + 1) };
  if (name !== undefined) return { kind, name };
  throw PosternError.public('invalid_argument', `which ${kind}? write ${kind}/name`);
}
