import type { Readable } from 'node:stream';
import { PosternError } from '@postern/plugin-sdk';
import type { Prompter } from './prompter.js';

const maxLine = 4096;

/** Answers from a pipe: one line to a question, in the order in which they are asked. Says nothing. */
export class LinePrompter implements Prompter {
  readonly interactive = false;
  readonly #chunks: AsyncIterator<Buffer>;
  #rest = Buffer.alloc(0);

  constructor(private readonly input: Readable) {
    this.#chunks = input[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  /** Rejects with `invalid_argument` where the input ends before the answer. */
  async ask(label: string): Promise<string> {
    for (;;) {
      const end = this.#rest.indexOf('\n');
      if (end >= 0) return this.#take(end, 1);
      if (this.#rest.length > maxLine)
        throw PosternError.public('invalid_argument', `the line for ${label} is too long`);
      const chunk = await this.#chunks.next();
      if (chunk.done !== true) this.#rest = Buffer.concat([this.#rest, chunk.value]);
      else if (this.#rest.length > 0) return this.#take(this.#rest.length, 0);
      else throw PosternError.public('invalid_argument', `standard input ended where ${label} was expected`);
    }
  }

  hidden(label: string): Promise<string> {
    return this.ask(label);
  }

  [Symbol.dispose](): void {
    this.input.destroy();
  }

  #take(end: number, skip: number): string {
    const line = this.#rest.toString('utf8', 0, end);
    this.#rest = this.#rest.subarray(end + skip);
    return line.replace(/\r$/, '');
  }
}
