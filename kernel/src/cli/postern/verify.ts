import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { PosternError } from '@postern/plugin-sdk';
import { parseVerifierKey, type NoteVerifier } from '../../audit/tlog/index.js';
import { verifyLog, type VerifyReport } from '../../audit/verify/index.js';
import { exitCodes } from '../exit-codes.js';
import type { Format } from '../output/formats.js';
import { printable } from '../output/printable.js';
import { showValue } from '../output/show.js';
import { dataDirectory } from './with-admin.js';
import { verifierFile } from './verifier-file.js';

export interface VerifyCommandOptions {
  readonly data?: string;
  readonly key?: readonly string[];
  readonly since?: readonly string[];
  readonly format: Format;
}

/** `postern audit verify`. Exits with 1 where anything is wrong. */
export async function verify(directory: string | undefined, options: VerifyCommandOptions): Promise<void> {
  const data = await dataDirectory(options);
  const report = await verifyLog({
    directory: directory === undefined ? join(data, 'audit', 'log') : resolve(directory),
    keys: await keysOf(options.key, data),
    since: await Promise.all((options.since ?? []).map((file) => readFile(file))),
  });
  if (options.format === 'table') process.stdout.write(text(report));
  else await showValue(report, options.format);
  if (!report.ok) process.exitCode = exitCodes.failed;
}

async function keysOf(given: readonly string[] | undefined, data: string): Promise<readonly NoteVerifier[]> {
  const files = given ?? [verifierFile(data)];
  const lines = await Promise.all(
    files.map(async (key) => {
      if (key.includes('+')) return [key];
      const lines = await readFile(key, 'utf8').catch((cause: unknown) => {
        throw PosternError.public('not_found', `cannot read the key ${key}; give one with --key`, cause);
      });
      return lines.split('\n').filter((line) => line.trim() !== '');
    }),
  );
  return lines.flat().map((line) => parseVerifierKey(line.trim()));
}

function text({
  ok,
  origin,
  size,
  root,
  signers,
  problems,
  omitted,
  notices,
  agents,
  elapsedMs,
}: VerifyReport): string {
  const events = agents.reduce((sum, one) => sum + one.events, 0);
  const lines = [
    ...problems.map(({ kind, at, detail }) => `PROBLEM  ${kind}  ${at}: ${detail}`),
    ...(omitted > 0 ? [`and ${omitted} more problems`] : []),
    ...notices.map(({ kind, at, detail }) => `notice   ${kind}  ${at}: ${detail}`),
    ok
      ? `${origin}: ${size} entries are whole and in order (${events} events of ${agents.length} streams, ${Math.round(elapsedMs)} ms)`
      : `${origin ?? 'the log'}: this log is NOT what it should be`,
    ...(ok ? [`root ${root}, signed by ${signers.join(', ')}`] : []),
  ];
  return lines.map((line) => `${printable(line)}\n`).join('');
}
