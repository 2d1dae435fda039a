import { writeFile } from 'node:fs/promises';
import { PosternError } from '@postern/plugin-sdk';
import { commentedConfiguration } from './commented-configuration.js';

/** `postern configure`. */
export async function configure({ cluster, out }: { readonly cluster?: string; readonly out?: string }): Promise<void> {
  const text = commentedConfiguration(cluster);
  if (out === undefined) {
    process.stdout.write(text);
    return;
  }
  await writeFile(out, text, { flag: 'wx' }).catch((cause: NodeJS.ErrnoException) => {
    const reason = cause.code === 'EEXIST' ? 'there is something already' : cause.message;
    throw PosternError.public('already_exists', `${out} was not written: ${reason}`, cause);
  });
  process.stdout.write(`written to ${out}. Check it with: postern check ${out}\n`);
}
