import { PosternError } from '@postern/plugin-sdk';
import type { MongodbAsk } from './protocol.js';
import type { Asker } from './wire.js';

/** A command that the server has not answered yet. */
export interface SentCommand extends Asker {
  readonly kind: 'hello' | 'command';
  readonly sequence: number;
  readonly user: string;
  /** What was authorized, for the cursor that the answer may bring. */
  readonly asks: readonly MongodbAsk[];
  /** The cursor that it reads on. */
  readonly cursor?: string;
  readonly started: number;
  /** Whose answer it is to: the server's last one, where it goes on by itself (`exhaust`). */
  expects: number;
}

/** An answer of ours, which waits for its turn. */
interface OwnAnswer {
  readonly kind: 'own';
  readonly answer: Buffer;
}

/** Far more than any driver sends before it reads. */
const maxPending = 256;

/** The commands of a connection that wait for an answer, in their order, in which servers answer. */
export class Pending {
  readonly #queue: (SentCommand | OwnAnswer)[] = [];
  /** How often bytes of the server are held back that the client has not been sent yet. */
  #busy = 0;

  constructor(private readonly write: (answer: Buffer) => Promise<void>) {}

  /** The command that the server answers next. */
  get head(): SentCommand | undefined {
    const [first] = this.#queue;
    return first && first.kind !== 'own' ? first : undefined;
  }

  sent(command: SentCommand): void {
    this.#push(command);
  }

  /** Answers a command that the server never gets: at once, which resolves when the client has it, or in its turn. */
  answer(answer: Buffer): Promise<void> | undefined {
    if (this.#queue.length === 0 && this.#busy === 0) return this.write(answer);
    this.#push({ kind: 'own', answer });
    return undefined;
  }

  /** The head has been answered. */
  shift(): void {
    this.#queue.shift();
  }

  /** The answers of ours whose turn has come. */
  takeOwn(): Buffer[] {
    const ready: Buffer[] = [];
    for (let first = this.#queue[0]; first?.kind === 'own'; first = this.#queue[0]) {
      ready.push(first.answer);
      this.#queue.shift();
    }
    return ready;
  }

  /** Bytes of the server wait, so that no answer of ours may overtake them. */
  hold(): void {
    this.#busy += 1;
  }

  /** Those bytes are with the client. */
  free(): void {
    this.#busy -= 1;
    // Whoever is not there any more ends the relay by itself.
    if (this.#busy === 0) for (const answer of this.takeOwn()) this.write(answer).catch(() => {});
  }

  /** Commands that nobody has answered. */
  get unanswered(): SentCommand[] {
    return this.#queue.filter((one): one is SentCommand => one.kind === 'command');
  }

  #push(entry: SentCommand | OwnAnswer): void {
    if (this.#queue.length >= maxPending)
      throw PosternError.public('limit_exceeded', `more than ${maxPending} commands wait for an answer`);
    this.#queue.push(entry);
  }
}
