import { PosternError } from '@postern/plugin-sdk';
import { bsonType, elementsOf, spanOf, textOf, type Element, type Span } from './bson-elements.js';
import { classOf, worksOnCollection } from './command-class.js';
import type { CommandClass } from './protocol.js';
import { documentsOf, type Request } from './request.js';
import { broken } from './wire.js';

/** One place that a command touches, and how. */
export interface Place {
  readonly class: CommandClass;
  readonly database: string;
  readonly collection?: string;
}

/** As deep as MongoDB lets documents nest (limits, "Nested Depth for BSON Documents"), and somewhat more. */
const maxDepth = 128;

/** How many stages and places are looked at, which is more than servers allow. */
const maxPlaces = 1000;

/** What a command says that can be read on its own: its body, or the command within `explain`. */
interface Saying {
  readonly data: Buffer;
  readonly name: string;
  readonly database: string;
  readonly fields: ReadonlyMap<string, Element>;
}

/**
 * Every place that a command touches, the one first that it names itself.
 * Throws `invalid_argument` where it names none that could be looked up in a
 * role, and `protocol_violation` where it is malformed.
 */
export function placesOf(request: Request): readonly Place[] {
  const found = new Places(request.data);
  if (request.name === 'bulkWrite') found.bulk(request);
  else found.say(request);
  return found.list;
}

class Places {
  readonly list: Place[] = [];

  constructor(private readonly data: Buffer) {}

  say(saying: Saying): void {
    const { name, fields, database } = saying;
    if (name === 'explain') return this.#explain(saying);
    if (name === 'renameCollection') return this.#rename(saying);
    const kind = classOf(name);
    const collection = this.#collection(saying);
    this.#add({ class: kind, database, ...(collection !== undefined && { collection }) });
    // Expressions stand in many fields of many commands, and a view has a pipeline of its own.
    this.#look(saying);
    if (name.toLowerCase() === 'mapreduce') this.#output(database, fields.get('out'));
  }

  /** Namespaces of a `bulkWrite` stand beside its operations, in the body or in a sequence. */
  bulk({ data, fields, sequences }: Request): void {
    const listed = spanOf(data, fields.get('nsInfo'));
    const sequence = sequences.find(({ identifier }) => identifier === 'nsInfo');
    const spans = listed
      ? [...elementsOf(data, listed)].map((element) => spanOf(data, element))
      : sequence
        ? [...documentsOf(data, sequence)]
        : [];
    if (spans.length === 0) throw broken('a bulkWrite names no collection');
    for (const span of spans) {
      const names = span ? [...elementsOf(data, span)].filter(({ name }) => name === 'ns') : [];
      if (names.length !== 1) throw broken('a bulkWrite names no collection');
      this.#namespace(textOf(data, names[0]), 'write');
    }
  }

  #explain({ data, fields, database }: Saying): void {
    const inner = spanOf(data, fields.get('explain'));
    if (!inner) throw broken('explain has no command');
    const own = new Map<string, Element>();
    for (const element of elementsOf(data, inner)) {
      if (own.has(element.name)) throw broken('a command says one thing twice');
      own.set(element.name, element);
    }
    const [name] = own.keys();
    if (name === undefined || name === 'explain') throw broken('explain has no command');
    const other = own.get('$db');
    if (other && textOf(data, other) !== database) throw broken('explain has a command of another database');
    this.say({ data, name, database, fields: own });
  }

  #rename({ data, fields }: Saying): void {
    for (const name of ['renameCollection', 'to']) this.#namespace(textOf(data, fields.get(name)), 'define');
  }

  #collection({ data, name, fields }: Saying): string | undefined {
    if (!worksOnCollection(name)) return undefined;
    const value = fields.get(name);
    const text = textOf(data, value);
    if (text !== undefined) return text;
    if (name === 'aggregate' && value && isNumber(value)) return undefined;
    throw PosternError.public('invalid_argument', `say the name of the collection in which to ${name}`);
  }

  /** Whatever else is named at any depth of the fields that can hold a pipeline. */
  #look({ data, database, fields, name }: Saying): void {
    if (name === 'create' || name === 'collMod') {
      const source = textOf(data, fields.get('viewOn'));
      if (source !== undefined) this.#add({ class: 'read', database, collection: source });
    }
    if (name !== 'aggregate' && name !== 'create' && name !== 'collMod') return;
    const pipeline = fields.get('pipeline');
    const span = spanOf(data, pipeline);
    if (span) this.#stages(span, database, 0);
    else if (name === 'aggregate') throw broken('an aggregate has no pipeline');
  }

  #stages(span: Span, database: string, depth: number): void {
    if (depth > maxDepth) throw broken('a pipeline is nested too deeply');
    for (const element of elementsOf(this.data, span)) {
      if (element.name.startsWith('$')) this.#stage(element, database);
      const inner = spanOf(this.data, element);
      if (inner) this.#stages(inner, database, depth + 1);
    }
  }

  #stage(element: Element, database: string): void {
    const { name } = element;
    if (name === '$out' || name === '$merge') return this.#output(database, element);
    if (name === '$lookup' || name === '$graphLookup') return this.#source(database, element, 'from');
    if (name === '$unionWith') return this.#source(database, element, 'coll');
    if (serverStages.has(name) || this.#watchesAll(element)) this.#add({ class: 'administer', database });
  }

  #watchesAll(element: Element): boolean {
    const span = element.name === '$changeStream' ? spanOf(this.data, element) : undefined;
    return span !== undefined && [...elementsOf(this.data, span)].some(({ name }) => name === 'allChangesForCluster');
  }

  /** `"collection"`, or `{ <key>: "collection" }`, or `{ <key>: { db, coll } }`. */
  #source(database: string, element: Element, key: string): void {
    const text = textOf(this.data, element);
    if (text !== undefined) return this.#add({ class: 'read', database, collection: text });
    const span = spanOf(this.data, element);
    if (!span) return;
    const fields = [...elementsOf(this.data, span)];
    const others = fields.flatMap((field) => (field.name === 'db' ? (textOf(this.data, field) ?? []) : []));
    for (const inner of fields.filter(({ name }) => name === key)) {
      const collection = textOf(this.data, inner);
      if (collection === undefined) this.#pair(database, inner, 'read');
      else for (const one of [database, ...others]) this.#add({ class: 'read', database: one, collection });
    }
  }

  /** Where results are written: `"collection"`, `{ db, coll }`, `{ into: … }`, or mapReduce's `{ replace, db }`. */
  #output(database: string, element: Element | undefined): void {
    const text = textOf(this.data, element);
    if (text !== undefined) return this.#add({ class: 'write', database, collection: text });
    const span = spanOf(this.data, element);
    if (!span) throw broken('the output of a command is malformed');
    const fields = [...elementsOf(this.data, span)];
    const into = fields.filter(({ name }) => name === 'into');
    if (into.length > 0) for (const one of into) this.#output(database, one);
    else if (!fields.some(({ name }) => name === 'inline') && element) this.#pair(database, element, 'write');
  }

  #pair(database: string, element: Element, kind: CommandClass): void {
    const span = spanOf(this.data, element);
    if (!span) throw broken('a collection is named by something that is no name');
    let [db, coll] = [database, undefined as string | undefined];
    const seen = new Set<string>();
    for (const inner of elementsOf(this.data, span)) {
      const isDatabase = inner.name === 'db';
      if (!isDatabase && !collectionKeys.has(inner.name)) continue;
      const text = textOf(this.data, inner);
      const role = isDatabase ? 'db' : 'coll';
      if (text === undefined || seen.has(role)) throw broken('a collection is named by something that is no name');
      seen.add(role);
      if (isDatabase) db = text;
      else coll = text;
    }
    if (coll === undefined) throw broken('a collection is named by something that is no name');
    this.#add({ class: kind, database: db, collection: coll });
  }

  #namespace(text: string | undefined, kind: CommandClass): void {
    const at = text?.indexOf('.') ?? -1;
    if (text === undefined || at <= 0) throw broken('a command names no collection');
    this.#add({ class: kind, database: text.slice(0, at), collection: text.slice(at + 1) });
  }

  #add(place: Place): void {
    if (this.list.length === maxPlaces) throw broken('a command touches too many collections');
    const sound = databases.test(place.database) && (place.collection === undefined || names.test(place.collection));
    if (!sound) throw PosternError.public('invalid_argument', 'this is not the name of a database or a collection');
    const same = (one: Place): boolean =>
      one.class === place.class && one.database === place.database && one.collection === place.collection;
    if (!this.list.some(same)) this.list.push(place);
  }
}

const databases = /^[^\s/\\."\0\ufffd]{1,64}$/;
const names = /^[^\0\ufffd]{1,255}$/s;

const collectionKeys = new Set(['coll', 'replace', 'merge', 'reduce']);

/** Stages that show what the server does, for everybody. */
const serverStages = new Set([
  '$currentOp',
  '$listSessions',
  '$listLocalSessions',
  '$allClusterSessions',
  '$listSampledQueries',
  '$queryStats',
  '$backupCursor',
  '$shardedDataDistribution',
]);

const isNumber = ({ type }: Element): boolean =>
  type === bsonType.double || type === bsonType.int32 || type === bsonType.int64;
