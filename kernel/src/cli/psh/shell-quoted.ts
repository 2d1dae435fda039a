/** Text as one word of a POSIX shell. */
const shellQuoted = (text: string): string =>
  /^[\w./:@,+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

/** What a POSIX shell evaluates to set variables, one to a line. */
export const exportLines = (variables: Readonly<Record<string, string>>): string =>
  Object.entries(variables)
    .map(([name, value]) => `export ${name}=${shellQuoted(value)}\n`)
    .join('');
