/** A line of a document that somebody may type, as the program would get it. */
export interface WrittenLine {
  readonly program: 'psh' | 'postern';
  readonly args: readonly string[];
  /** As it stands in the document. */
  readonly text: string;
  /** Within a sentence a command may be named without all that it needs. */
  readonly named: boolean;
}

interface Block {
  readonly language: string;
  readonly text: string;
  /** The line of the document that opens it, from 1. */
  readonly line: number;
}

/** The fenced and indented blocks of a Markdown text. */
export function blocksOf(markdown: string): readonly Block[] {
  return [...markdown.matchAll(/^```([^\n]*)\n([\s\S]*?)^```$/gm)].map(({ 1: info = '', 2: text = '', index }) => ({
    language: info.split(' ')[0] ?? '',
    text,
    line: markdown.slice(0, index).split('\n').length,
  }));
}

/** Every command of the two programs in a Markdown text: lines of blocks, and what stands in backticks. */
export function linesOf(markdown: string): readonly WrittenLine[] {
  const consoles = blocksOf(markdown).filter(({ language }) => ['', 'console', 'sh', 'bash'].includes(language));
  const typed = consoles.flatMap(({ text }) => text.split('\n').flatMap((line) => commandsIn(line, false)));
  const unfenced = markdown.replaceAll(/^```[\s\S]*?^```$/gm, '');
  const indented = [...unfenced.matchAll(/^ {4}(\S.*)$/gm)].flatMap(([, line = '']) => commandsIn(line, false));
  const prose = unfenced.replaceAll(/^ {4}\S.*$/gm, '').replaceAll(/\s+/g, ' ');
  const named = [...prose.matchAll(/`([^`]+)`/g)].flatMap(([, code = '']) => commandsIn(code, true));
  return [...typed, ...indented, ...named];
}

const commandsIn = (text: string, named: boolean): readonly WrittenLine[] =>
  candidates(text).flatMap((one) => {
    const [program, ...args] = words(one);
    return program === 'psh' || program === 'postern' ? [{ program, args, text: one, named }] : [];
  });

/** The parts of a shell line that begin with a program: what stands in `$(…)`, and what pipes and `&&` join. */
function candidates(text: string): readonly string[] {
  const plain = text.replace(/^\s*\$ /, '').trim();
  const inner = [...plain.matchAll(/\$\(([^()]*)\)/g)].map(([, command = '']) => command);
  return [plain.replace(/^npx --no /, ''), ...inner];
}

/** As a shell splits a line: quotes, comments, and an end at pipes, redirections and `&`. */
function words(text: string): readonly string[] {
  const found: string[] = [];
  for (const [word] of text.matchAll(/<[\w-]+>(?:\/<[\w-]+>)?|(?:'[^']*'|"[^"]*"|[^\s'"])+/g)) {
    if (/^(?:[#|>&;]|<<|<$)/.test(word)) break;
    // What goes on, or stands for more.
    if (word === '…') continue;
    found.push(word.replaceAll(/['"]/g, ''));
  }
  return found;
}
