import type { Duplex } from 'node:stream';
import { within } from '../host/index.js';
import { write } from '../write.js';
import type { Bytes, Conversation, Step } from './harness.js';

export interface PlayOptions {
  /** Ends the client's half right after its last word. */
  readonly hangUp?: boolean;
  /** How long to wait for each answer, where that is not the patience of this client. */
  readonly patienceMs?: number;
}

/** Plays a native client on a stream. */
export class Player {
  readonly #received: Buffer[] = [];
  /** How much of what was received has been matched by a step. */
  #matched = 0;
  #ended = false;
  readonly #waiting = new Set<() => void>();

  constructor(
    readonly stream: Duplex,
    private readonly patienceMs: number,
  ) {
    const over = (): void => {
      this.#ended = true;
      this.#wake();
    };
    stream
      .on('error', () => {})
      .on('end', over)
      .on('close', over);
  }

  /** Everything that was received, a character for each byte. */
  get received(): string {
    return Buffer.concat(this.#received).toString('latin1');
  }

  /** How many bytes were received. */
  get count(): number {
    return this.#received.reduce((sum, { length }) => sum + length, 0);
  }

  /** True once nothing more can come. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Holds a conversation; rejects where the answers are wrong or do not come. */
  async play(conversation: Conversation, options: PlayOptions = {}): Promise<void> {
    if ('connect' in conversation) {
      await within(conversation.connect(this.stream), options.patienceMs ?? this.patienceMs);
      return;
    }
    const steps =
      'steps' in conversation ? conversation.steps : [{ send: conversation.send }, { expect: conversation.receive }];
    await this.playSteps(steps, options);
  }

  async playSteps(
    steps: readonly Step[],
    { hangUp = false, patienceMs = this.patienceMs }: PlayOptions = {},
  ): Promise<void> {
    const last = steps.findLastIndex((step) => 'send' in step);
    for (const [at, step] of steps.entries()) {
      if ('expect' in step) await this.#expect(step.expect, patienceMs);
      else {
        const { send } = step;
        this.#say(typeof send === 'function' ? send(Buffer.concat(this.#received)) : send);
        if (hangUp && at === last) this.stream.end();
      }
    }
  }

  /** Reads from now on, whatever comes. */
  listen(): void {
    if (this.stream.listenerCount('data') === 0)
      this.stream.on('data', (chunk: Buffer) => {
        this.#received.push(chunk);
        this.#wake();
      });
    else this.stream.resume();
  }

  /** Waits until `done` is true of what was received, or nothing more can come. */
  async until(done: () => boolean, patienceMs: number): Promise<boolean> {
    this.listen();
    const deadline = Date.now() + patienceMs;
    while (!done()) {
      if (this.#ended || Date.now() >= deadline) return done();
      const woken = new Promise<void>((resolve) => this.#waiting.add(resolve));
      await within(woken, Math.max(1, deadline - Date.now())).catch(() => {});
    }
    return true;
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  #say(data: Bytes): void {
    // A refusal may come before everything was said; what counts is what comes back.
    write(this.stream, data).catch(() => {});
  }

  async #expect(pattern: RegExp, patienceMs: number): Promise<void> {
    const matches = (): RegExpExecArray | null =>
      new RegExp(pattern, flagsOf(pattern)).exec(this.received.slice(this.#matched));
    if (await this.until(() => matches() !== null, patienceMs)) {
      const match = matches();
      this.#matched += (match?.index ?? 0) + (match?.[0].length ?? 0);
      return;
    }
    const got = JSON.stringify(this.received.slice(this.#matched, this.#matched + 500));
    throw new Error(
      `expected ${String(pattern)}, ${this.#ended ? 'and the stream ended after' : 'received only'} ${got}`,
    );
  }
}

/** Without the flags that make a pattern remember where it was. */
const flagsOf = ({ flags }: RegExp): string => flags.replace(/[gy]/g, '');
