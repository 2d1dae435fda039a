import { rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join, normalize } from 'node:path';
import { PosternError, type Addition, type ClientSetup } from '@postern/plugin-sdk';
import { writePrivateFile } from '../profile/private-file.js';
import type { AddedBlock, Profile } from '../profile/profile.js';
import { compose, joinByFile } from './compose.js';
import { editFile, removeIfEmpty } from './edit-file.js';
import { withBlock, withoutBlock } from './marked-block.js';

/**
 * Writes what plugins want native tools to find, and takes back what they
 * wanted at an earlier login and do not want any more. Resolves with the
 * profile as it is then, and with warnings; a file that cannot be changed is
 * one, and does not keep the others from being written.
 */
export async function applySetups(
  profile: Profile,
  setups: readonly ClientSetup[],
): Promise<{ readonly profile: Profile; readonly warnings: readonly string[] }> {
  const files = new Map(setups.flatMap((setup) => Object.entries(setup.files ?? {})));
  for (const [name, text] of files) await writePrivateFile(join(profile.directory, inside(name)), text);
  for (const before of profile.data.files ?? [])
    if (!files.has(before)) await rm(join(profile.directory, inside(before)), { force: true });
  const warnings: string[] = [];
  const blocks: AddedBlock[] = [];
  const wanted = joinByFile(setups.flatMap(({ additions = [] }) => additions));
  for (const addition of wanted) blocks.push(...(await add(profile, addition, warnings)));
  for (const before of profile.data.additions)
    if (!blocks.some(({ file }) => file === before.file)) await takeBack(profile, before, warnings);
  const after = profile.withSetup(blocks, [...files.keys()]);
  await after.save();
  return { profile: after, warnings };
}

/** Takes every block of a profile out of the user's files. Resolves with warnings. */
export async function removeAdditions(profile: Profile): Promise<readonly string[]> {
  const warnings: string[] = [];
  for (const block of profile.data.additions) await takeBack(profile, block, warnings);
  return warnings;
}

async function add(profile: Profile, addition: Addition, warnings: string[]): Promise<readonly AddedBlock[]> {
  const { file, comment, place } = addition;
  const marks = { cluster: profile.data.cluster, comment };
  const earlier = profile.data.additions.find((block) => block.file === file);
  let omitted: readonly string[] = [];
  let empty = true;
  try {
    const { created } = await editFile(join(homedir(), inside(file)), (bytes) => {
      const text = Buffer.from(bytes, 'latin1').toString('utf8');
      const composed = compose(addition, withoutBlock(text, marks));
      omitted = composed.omitted;
      empty = composed.body === '';
      return withBlock(bytes, marks, Buffer.from(composed.body, 'utf8').toString('latin1'), place);
    });
    if (omitted.length > 0)
      warnings.push(`~/${file} has entries of yours for ${omitted.join(', ')}: they were left alone`);
    return empty ? [] : [{ file, comment, created: created || (earlier?.created ?? false) }];
  } catch (cause) {
    warnings.push(PosternError.from(cause).message);
    return earlier ? [earlier] : [];
  }
}

async function takeBack({ data }: Profile, { file, comment, created }: AddedBlock, warnings: string[]): Promise<void> {
  const path = join(homedir(), inside(file));
  try {
    await editFile(path, (text) => withoutBlock(text, { cluster: data.cluster, comment }));
    if (created) await removeIfEmpty(path);
  } catch (cause) {
    warnings.push(PosternError.from(cause).message);
  }
}

/** Throws `invalid_argument` for a path that leaves its directory. */
function inside(path: string): string {
  const clean = normalize(path);
  if (path === '' || isAbsolute(clean) || clean.split('/').includes('..'))
    throw PosternError.public(
      'invalid_argument',
      `${JSON.stringify(path)} is not below the directory where it belongs`,
    );
  return clean;
}
