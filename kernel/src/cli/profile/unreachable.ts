import { PosternError } from '@postern/plugin-sdk';
import { addressText } from './proxy-address.js';

/** What to say when no connection to the cluster comes about. */
export function unreachable(proxy: { readonly host: string; readonly port: number }, cause: Error): PosternError {
  const reason = cause instanceof AggregateError ? (cause.errors as Error[])[0]?.message : cause.message;
  return PosternError.public('unavailable', `cannot reach the cluster at ${addressText(proxy)}: ${reason}`, cause);
}
