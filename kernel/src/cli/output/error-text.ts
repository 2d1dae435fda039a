import { PosternError } from '@postern/plugin-sdk';
import { printable } from './printable.js';

/** An error as people read it: `psh: what went wrong`, with what to do next where the error says so. */
export function errorText(program: string, cause: unknown, debug: boolean): string {
  const error = PosternError.from(cause);
  const text = error.message === '' ? error.code : error.message;
  const [first = '', ...rest] = text.split('\n').map(printable);
  const lines = [`${program}: ${first}`, ...rest.map((line) => `  ${line}`)];
  return `${lines.join('\n')}\n${debug ? stack(error) : ''}`;
}

function stack(error: Error): string {
  const own = error.stack ?? '';
  return `${own}\n${error.cause instanceof Error ? `caused by ${stack(error.cause)}` : ''}`;
}
