import { writeFile } from 'node:fs/promises';
import { PosternError, type ExportOptions, type RecordedSession } from '@postern/plugin-sdk';
import { moments } from './frames.js';
import { encodePng } from './png.js';
import type { Screen } from './screen.js';

/** Writes the picture that the user saw at one moment; the last one by default. */
export async function exportPng(session: RecordedSession, options: ExportOptions): Promise<void> {
  const { atMs = Number.POSITIVE_INFINITY, file, signal } = options;
  const end = Math.min(atMs, session.durationMs);
  let screen: Screen | undefined;
  for await (const { ms, desktop } of moments(session, signal, atMs)) {
    if (desktop.screen.width > 1) ({ screen } = desktop);
    options.progress(end > 0 ? Math.min(1, ms / end) : 1);
  }
  if (!screen) throw PosternError.public('not_found', 'there is no picture at that moment');
  await writeFile(file, encodePng(screen.rgba, screen.width, screen.height), { mode: 0o600 });
  options.progress(1);
}
