import { PosternError, type Grant, type Hold, type Tapped } from '@postern/plugin-sdk';
import type { Document } from 'bson';
import { fewElements, integerOf, spanOf, textOf, type Span } from './bson-elements.js';
import { isHello, isLogin } from './command-class.js';
import { denied, errorBody } from './command-error.js';
import type { SessionCursors } from './cursors.js';
import { loginIn, serverHello, type Login } from './hello.js';
import type { Journal } from './journal.js';
import { MessageReader, type Message } from './message-reader.js';
import type { Pending } from './pending.js';
import type { Place } from './place-list.js';
import { placesOf } from './places.js';
import type { Mongodb, MongodbAsk } from './protocol.js';
import { parseRequest, type Request } from './request.js';
import { broken, encodeAnswer, encodeLegacyQuery, encodeMessage, flag, opcode, parseIds, type Asker } from './wire.js';

export interface ClientTapOptions {
  readonly grant: Grant<Mongodb>;
  readonly user: string;
  readonly journal: Journal;
  readonly pending: Pending;
  readonly cursors: SessionCursors;
  readonly maxMessageBytes: number;
}

/** What a command may have beside its own fields. Others are how servers speak for their users among themselves. */
const generic = new Set(['$db', '$readPreference', '$clusterTime', '$queryOptions', '$maxTimeMS', '$comment']);

/** More than anybody has: cursors that one command kills, and what all of those were asked for. */
const maxKilled = 10_000;

type Outcome = Buffer | undefined;

/**
 * Follows what a client sends: each command is decided and reported when it is
 * there whole, and goes on as it came. Greetings are put in other words, and
 * logins never leave.
 */
export class ClientTap {
  readonly #reader: MessageReader;
  /** Whose message is being decided. */
  deciding: Asker | undefined;

  constructor(private readonly options: ClientTapOptions) {
    this.#reader = new MessageReader(options.maxMessageBytes);
  }

  readonly tap = (chunk: Buffer): Tapped | Promise<Tapped> => {
    this.#reader.push(chunk);
    return this.#drain([]);
  };

  #drain(onward: Buffer[]): Tapped | Promise<Tapped> {
    for (;;) {
      const message = this.#next();
      if (!message) return onward.length === 1 ? onward[0] : Buffer.concat(onward);
      const outcome = this.#handle(message);
      if (outcome instanceof Promise)
        return outcome.then((data) => {
          if (data) onward.push(data);
          this.deciding = undefined;
          return this.#drain(onward);
        });
      if (outcome) onward.push(outcome);
      this.deciding = undefined;
    }
  }

  #next(): Message | undefined {
    const head = this.#reader.waiting;
    if (head) {
      const { requestId, opcode: kind } = parseIds(head);
      this.deciding = { requestId, legacy: kind === opcode.query };
    }
    const message = this.#reader.next();
    if (!message) this.deciding = undefined;
    return message;
  }

  #handle(message: Message): Outcome | Promise<Outcome> {
    const request = parseRequest(message);
    if (isLogin(request.name)) return this.#login(request);
    if (isHello(request.name)) return this.#greet(request);
    if (request.legacy) {
      const words = `${request.name} must be sent as OP_MSG`;
      return this.#answer(request, encodeAnswer(request, errorBody('unsupported', words)));
    }
    return this.#command(request);
  }

  /** The agent has logged in; whoever wants to be the same has nothing to prove. */
  #login(request: Request): Outcome | Promise<Outcome> {
    const { user } = this.options;
    return this.#answer(request, encodeAnswer(request, loginAnswer(loginIn(request), user)));
  }

  #greet(request: Request): Outcome {
    const body = serverHello(request);
    if (!body) throw broken('a greeting is malformed');
    const { requestId, legacy } = request;
    this.#sent(request, { kind: 'hello', asks: [] });
    return (legacy ? encodeLegacyQuery : encodeMessage)({ requestId }, body);
  }

  #command(request: Request): Outcome | Promise<Outcome> {
    let wanted: Wanted;
    try {
      wanted = this.#wanted(request);
    } catch (cause) {
      return this.#answer(request, denied(request, cause));
    }
    const hold = this.#decide(wanted.asks, 0);
    if (hold instanceof Promise)
      return hold.then(
        () => this.#forward(request, wanted),
        (cause: unknown) => this.#answer(request, denied(request, cause)),
      );
    return this.#forward(request, wanted);
  }

  /** All that must be allowed for a command. */
  #wanted(request: Request): Wanted {
    for (const field of request.fields.keys())
      if (field.startsWith('$') && !generic.has(field))
        throw PosternError.public('invalid_argument', `${field} is not for clients to say`);
    const { name, fields, data } = request;
    if (name === 'getMore') return this.#more(request);
    const places = placesOf(request);
    const killed = name === 'killCursors' ? this.#killed(data, spanOf(data, fields.get('cursors'))) : undefined;
    return { places, asks: places.map((place) => this.#ask(name, place)), ...killed };
  }

  /** The cursors that a command names, all of which must be this session's own, and the rights by which they were opened. */
  #killed(data: Buffer, list: Span | undefined): Pick<Wanted, 'kills' | 'asks'> | undefined {
    const named = list ? fewElements(data, list, maxKilled).map((element) => integerOf(data, element)) : [];
    if (named.length === 0) return undefined;
    const asks = new Map<string, MongodbAsk>();
    let count = 0;
    const kills = new Set<string>();
    for (const id of new Set(named)) {
      const own = this.#own(id);
      if ((count += own.asks.length) > maxKilled)
        throw PosternError.public('invalid_argument', 'these cursors are too many to be killed at once');
      for (const ask of own.asks) asks.set(JSON.stringify(ask), ask);
      kills.add(id ?? '');
    }
    return { kills: [...kills], asks: [...asks.values()] };
  }

  /** A cursor is continued under the rights by which it was opened, for as long as they last. */
  #more(request: Request): Wanted {
    const { data, fields, database } = request;
    const element = fields.get('getMore');
    const cursor = element && integerOf(data, element);
    const collection = textOf(data, fields.get('collection'));
    if (cursor === undefined || collection === undefined) throw broken('getMore names no cursor');
    const { asks, namespace } = this.#own(cursor);
    if (namespace !== undefined && namespace !== `${database}.${collection}`)
      throw PosternError.public('invalid_argument', `cursor ${cursor} is not one of ${database}.${collection}`);
    return { places: [{ class: 'read', database, collection }], asks, cursor };
  }

  #own(id: string | undefined) {
    const found = id === undefined ? undefined : this.options.cursors.find(this.options.user, id);
    if (found) return found;
    throw PosternError.public('invalid_argument', `cursor id ${id ?? '?'} not found: this session has not opened it`);
  }

  #ask(command: string, { class: kind, database, collection }: Place): MongodbAsk {
    if (command.length > 128) throw PosternError.public('invalid_argument', 'there is no such command');
    const { user } = this.options;
    return { user, command, class: kind, database, ...(collection !== undefined && { collection }) };
  }

  #decide(asks: readonly MongodbAsk[], from: number): Hold {
    for (let index = from; index < asks.length; index += 1) {
      const ask = asks[index];
      const hold = ask && this.options.grant.check(ask);
      if (hold instanceof Promise) return hold.then(() => this.#decide(asks, index + 1));
    }
  }

  #forward(request: Request, { places, asks, cursor, kills = [] }: Wanted): Outcome | Promise<Outcome> {
    const { journal, cursors, user } = this.options;
    const hold = journal.sent(request, places);
    for (const id of kills) cursors.close(user, id);
    const go = (): Buffer => {
      if ((request.flags & flag.moreToCome) === 0)
        this.#sent(request, { kind: 'command', asks, ...(cursor !== undefined && { cursor }) });
      return request.data;
    };
    return hold instanceof Promise ? hold.then(go) : go();
  }

  #sent(
    { requestId, legacy }: Asker,
    more: { kind: 'hello' | 'command'; asks: readonly MongodbAsk[]; cursor?: string },
  ) {
    const { pending, user, journal } = this.options;
    const { sequence } = journal;
    pending.sent({ requestId, legacy, expects: requestId, user, sequence, started: performance.now(), ...more });
  }

  /**
   * Nobody waits for an answer to what was sent with `moreToCome`. Nothing more
   * is read before the client has taken this: whoever asks for what is denied,
   * and reads no answers, would have us keep them.
   */
  #answer({ flags }: Request, answer: Buffer): undefined | Promise<undefined> {
    this.deciding = undefined;
    if ((flags & flag.moreToCome) === 0) return this.options.pending.answer(answer)?.then(() => undefined);
  }
}

interface Wanted {
  readonly places: readonly Place[];
  readonly asks: readonly MongodbAsk[];
  readonly cursor?: string;
  /** Cursors that are no more once it has gone on. */
  readonly kills?: readonly string[];
}

/** What a client is told that logs in where the agent has done so as `user`. */
export function loginAnswer(said: Login, user: string): Document {
  if (!said.certificate)
    return errorBody(
      'authenticationFailed',
      'passwords are not used here: your certificate says who you are. Use authMechanism=MONGODB-X509',
    );
  if (said.user !== undefined && said.user !== user)
    return errorBody('authenticationFailed', `this session is ${user}; to be somebody else, connect anew`);
  return { dbname: '$external', user, ok: 1 };
}
