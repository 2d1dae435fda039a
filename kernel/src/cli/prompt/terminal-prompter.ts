import { StringDecoder } from 'node:string_decoder';
import type { ReadStream } from 'node:tty';
import type { Writable } from 'node:stream';
import { PosternError } from '@postern/plugin-sdk';
import { LineEditor } from './line-editor.js';
import type { Prompter } from './prompter.js';

/** Asks on a terminal, which it leaves as it was. */
export class TerminalPrompter implements Prompter {
  readonly interactive = true;
  readonly #decoder = new StringDecoder('utf8');
  /** Typed ahead of the question. */
  #ahead = '';

  constructor(
    private readonly input: ReadStream,
    private readonly output: Writable,
  ) {}

  ask(label: string): Promise<string> {
    return this.#read(label, true);
  }

  hidden(label: string): Promise<string> {
    return this.#read(label, false);
  }

  [Symbol.dispose](): void {
    this.input.pause();
    this.input.unref();
  }

  async #read(label: string, echo: boolean): Promise<string> {
    const editor = new LineEditor();
    const prompt = `${label}: `;
    // Before the label: what is typed from now on must not be echoed by the terminal itself.
    this.input.setRawMode(true);
    this.output.write(prompt);
    try {
      await this.#edit(editor, () => {
        if (echo) this.output.write(`\r\u001b[K${prompt}${editor.text}`);
      });
    } finally {
      this.input.setRawMode(false);
      this.input.pause();
      this.output.write('\n');
    }
    return editor.text;
  }

  #edit(editor: LineEditor, changed: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (cause?: Error): void => {
        this.input.off('data', onData).off('end', onEnd);
        if (cause) reject(cause);
        else resolve();
      };
      const take = (): void => {
        const characters = [...this.#ahead];
        this.#ahead = '';
        while (characters.length > 0) {
          const edited = editor.type(characters.shift() ?? '');
          if (edited === 'typing') continue;
          this.#ahead = characters.join('');
          settle(edited === 'entered' ? undefined : interrupted());
          return;
        }
        changed();
      };
      const onData = (data: Buffer): void => {
        this.#ahead += this.#decoder.write(data);
        take();
      };
      const onEnd = (): void => settle(interrupted());
      this.input.on('data', onData).on('end', onEnd).resume();
      take();
    });
  }
}

const interrupted = (): PosternError => PosternError.public('aborted', 'interrupted');
