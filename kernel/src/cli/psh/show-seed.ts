/**
 * Shows a TOTP seed to whoever adds it to an authenticator application, on
 * standard error: as text, as a link, and as a picture where that is a terminal
 * wide enough for it.
 */
export async function showSeed({ secret, uri }: { readonly secret: string; readonly uri: string }): Promise<void> {
  process.stderr.write(`    secret  ${secret}\n    link    ${uri}\n\n`);
  const width = process.stderr.isTTY ? process.stderr.columns : 0;
  const lines = (await import('uqr')).renderUnicodeCompact(uri, { border: 2 }).split('\n');
  if ((lines[0]?.length ?? 0) <= width) process.stderr.write(`${lines.join('\n')}\n\n`);
}
