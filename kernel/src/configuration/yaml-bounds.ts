import { Lexer } from 'yaml';

/** Far more than any configuration or role has, and far less than what the parser, which calls itself for each level, has a stack for. */
const maxDepth = 64;
const maxBytes = 4 * 1024 * 1024;

/**
 * What is wrong with the size or the nesting of a YAML text, or `undefined`.
 * Looks at its lexemes alone, so that nothing is parsed before it is bounded.
 */
export function beyondBounds(text: string): string | undefined {
  if (Buffer.byteLength(text) > maxBytes) return `this is longer than ${maxBytes} bytes`;
  const nesting = new Nesting();
  for (const lexeme of new Lexer().lex(text)) {
    nesting.pass(lexeme);
    if (nesting.depth > maxDepth) return `this is nested more than ${maxDepth} levels deep`;
  }
  return undefined;
}

/** How deep a text is nested at most, as far as its lexemes tell. */
class Nesting {
  /** Of brackets and braces. */
  #flow = 0;
  /** Levels of a block begin a line each, further in than the one before, or stand behind one another in it. */
  #indent = 0;
  #inLine = 0;

  get depth(): number {
    // Nobody indents by more than eight blanks a level.
    return Math.max(this.#flow + this.#inLine, this.#indent / 8);
  }

  pass(lexeme: string): void {
    if (lexeme.endsWith('\n')) this.#inLine = this.#indent = 0;
    else if (this.#inLine === 0 && /^ +$/.test(lexeme)) this.#indent = lexeme.length;
    else this.#indicator(lexeme);
  }

  #indicator(lexeme: string): void {
    switch (lexeme) {
      case '[':
      case '{':
        this.#flow += 1;
        break;
      case ']':
      case '}':
        this.#flow = Math.max(0, this.#flow - 1);
        break;
      case '-':
      case '?':
        this.#inLine += 1;
    }
  }
}
