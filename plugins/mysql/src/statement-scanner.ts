/**
 * The schemas that a text of statements changes to by `USE`, which is the one
 * way to change it that is a statement and not a command. Reads texts as the
 * server does as far as that matters: comments, `/*! … *\/` whose content is
 * run, quotes with their escapes, and several statements.
 */
export function schemasUsed(sql: string): readonly string[] {
  // The common case is decided without reading further.
  if (!/use/i.test(sql)) return [];
  return statementsOf(withoutComments(sql)).flatMap((statement) => {
    const name = /^\s*use\s*(?:`((?:[^`]|``)+)`|"((?:[^"]|"")+)"|([^\s`";]+))\s*$/i.exec(statement);
    if (!name) return [];
    return [name[1]?.replaceAll('``', '`') ?? name[2]?.replaceAll('""', '"') ?? name[3] ?? ''];
  });
}

/** Quoted parts, and what begins a comment. */
const token =
  /'(?:[^'\\]|\\[^]|'')*'|"(?:[^"\\]|\\[^]|"")*"|`(?:[^`]|``)*`|\/\*(?:M?!\d{0,6})?|\*\/|--(?=[\s\x01-\x1f]|$)[^\n]*|#[^\n]*/g;

/** The text with a space for each comment. The content of a conditional one stays, since the server may run it. */
function withoutComments(sql: string): string {
  let text = '';
  let at = 0;
  token.lastIndex = 0;
  for (let found = token.exec(sql); found; found = token.exec(sql)) {
    const [word] = found;
    if (word.startsWith("'") || word.startsWith('"') || word.startsWith('`')) continue;
    text += `${sql.slice(at, found.index)} `;
    at = found.index + word.length;
    if (word !== '/*') continue;
    const end = sql.indexOf('*/', at);
    at = end < 0 ? sql.length : end + 2;
    token.lastIndex = at;
  }
  return text + sql.slice(at);
}

const separator = /'(?:[^'\\]|\\[^]|'')*'|"(?:[^"\\]|\\[^]|"")*"|`(?:[^`]|``)*`|;/g;

function statementsOf(sql: string): string[] {
  const statements: string[] = [];
  let at = 0;
  for (const found of sql.matchAll(separator)) {
    if (found[0] !== ';') continue;
    statements.push(sql.slice(at, found.index));
    at = found.index + 1;
  }
  return [...statements, sql.slice(at)];
}
