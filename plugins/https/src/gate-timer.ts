import { PosternError } from '@postern/plugin-sdk';

/** In milliseconds. */
export interface GateTimes {
  /** For a head, from its first byte on. */
  readonly headMs: number;
  /** For the next piece of a body. */
  readonly bodyMs: number;
  /** Between two requests. */
  readonly idleMs: number;
  /** For an answer to a client that has ended its half. */
  readonly answerMs: number;
}

/** What a connection waits for, one thing at a time. */
export class GateTimer {
  #timer: NodeJS.Timeout | undefined;
  #waits: 'head' | 'body' | 'idle' | 'answer' | undefined;

  constructor(
    private readonly times: GateTimes,
    private readonly onLate: (cause?: PosternError) => void,
  ) {}

  await(what: 'head' | 'body' | 'idle' | 'answer'): void {
    if (this.#waits === what && this.#timer) {
      this.#timer.refresh();
      return;
    }
    this.stop();
    const { headMs, bodyMs, idleMs, answerMs } = this.times;
    const ms = { head: headMs, body: bodyMs, idle: idleMs, answer: answerMs }[what];
    this.#waits = what;
    this.#timer = setTimeout(() => this.onLate(late(what)), ms).unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

function late(what: 'head' | 'body' | 'idle' | 'answer'): PosternError | undefined {
  return what === 'head' || what === 'body' ? new LateRequest(what) : undefined;
}

/** A client that did not say in time what it had begun to say. */
export class LateRequest extends PosternError {
  constructor(what: string) {
    super('timeout', `the ${what} of a request did not come in time`, {
      publicMessage: 'the request did not come in time',
    });
  }
}
