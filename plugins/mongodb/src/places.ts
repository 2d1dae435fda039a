import { PosternError } from '@postern/plugin-sdk';
import { bsonType, fewElements, spanOf, textOf, type Element, type Span } from './bson-elements.js';
import { reachesAnywhere, worksOnCollection } from './command-class.js';
import { Pipeline, runsScripts } from './pipeline.js';
import { PlaceList, type Place } from './place-list.js';
import { classesOf, type CommandClass } from './protocol.js';
import { documentsOf, type Request } from './request.js';
import { broken } from './wire.js';

/** How many namespaces a `bulkWrite` may name. */
const maxNamespaces = 1000;

/** What a command says that can be read on its own: its body, or the command within `explain`. */
interface Saying {
  readonly name: string;
  readonly database: string;
  readonly fields: ReadonlyMap<string, Element>;
  /** In which all that it says stands. */
  readonly spans: Iterable<Span>;
}

/**
 * Every place that a command touches, the one first that it names itself.
 * Throws `invalid_argument` where it names none that could be looked up in a
 * role, and `protocol_violation` where it is malformed.
 */
export function placesOf(request: Request): readonly Place[] {
  const found = new Places(request.data);
  if (request.name === 'bulkWrite') found.bulk(request);
  else found.say({ ...request, spans: spansOf(request) });
  return found.places.list;
}

/** All documents of a message. */
function* spansOf({ data, body, sequences }: Request): Generator<Span> {
  yield body;
  for (const sequence of sequences) yield* documentsOf(data, sequence);
}

class Places {
  readonly places = new PlaceList();

  constructor(private readonly data: Buffer) {}

  say(saying: Saying): void {
    const { name, fields, database } = saying;
    if (name === 'explain') return this.#explain(saying);
    if (name === 'renameCollection') return this.#rename(saying);
    const collection = this.#collection(saying);
    const own = { database, ...(collection !== undefined && { collection }) };
    for (const kind of classesOf(name)) this.places.add({ class: kind, ...own });
    if (reachesAnywhere(name)) this.places.add({ class: 'administer', database: 'admin' });
    // What is inserted is data, whatever its fields are called.
    if (name !== 'insert' && runsScripts(this.data, saying.spans)) this.places.add({ class: 'execute', ...own });
    this.#look(saying);
    if (name.toLowerCase() === 'mapreduce') new Pipeline(this.data, database, this.places).output(fields.get('out'));
  }

  /** Namespaces of a `bulkWrite` stand beside its operations, in the body or in a sequence. */
  bulk(request: Request): void {
    const { data } = this;
    for (const span of namespacesOf(request)) {
      const names = span ? fewElements(data, span).filter(({ name }) => name === 'ns') : [];
      if (names.length !== 1) throw broken('a bulkWrite names no collection');
      this.#namespace(textOf(data, names[0]), 'write');
    }
    const named = [...this.places.list];
    if (named.length === 0) throw broken('a bulkWrite names no collection');
    if (runsScripts(data, spansOf(request))) for (const place of named) this.places.add({ ...place, class: 'execute' });
  }

  #explain({ fields, database }: Saying): void {
    const inner = spanOf(this.data, fields.get('explain'));
    const own = new Map<string, Element>();
    for (const element of inner ? fewElements(this.data, inner) : []) {
      if (own.has(element.name)) throw broken('a command says one thing twice');
      own.set(element.name, element);
    }
    const [name] = own.keys();
    if (!inner || name === undefined || ['explain', 'bulkWrite'].includes(name))
      throw broken('explain has no command that can be explained');
    const other = own.get('$db');
    if (other && textOf(this.data, other) !== database) throw broken('explain has a command of another database');
    this.say({ name, database, fields: own, spans: [inner] });
  }

  #rename({ fields }: Saying): void {
    for (const name of ['renameCollection', 'to']) this.#namespace(textOf(this.data, fields.get(name)), 'define');
  }

  #collection({ name, fields }: Saying): string | undefined {
    if (!worksOnCollection(name)) return undefined;
    const value = fields.get(name);
    const text = textOf(this.data, value);
    // Cursors of a whole database are killed in its name; whose they are is looked at anyway.
    if (text !== undefined) return name === 'killCursors' && text.startsWith('$cmd.') ? undefined : text;
    if (name === 'aggregate' && value && isNumber(value)) return undefined;
    throw PosternError.public('invalid_argument', `say the name of the collection in which to ${name}`);
  }

  /** What commands name beside the collection in which they work. */
  #look({ database, fields, name }: Saying): void {
    const further: readonly (readonly [string, string, CommandClass])[] = [
      ['create', 'viewOn', 'read'],
      ['collMod', 'viewOn', 'read'],
      ['cloneCollectionAsCapped', 'toCollection', 'define'],
    ];
    for (const [command, field, kind] of further) {
      const collection = command === name ? textOf(this.data, fields.get(field)) : undefined;
      if (collection !== undefined) this.places.add({ class: kind, database, collection });
    }
    if (!['aggregate', 'create', 'collMod'].includes(name)) return;
    const span = spanOf(this.data, fields.get('pipeline'));
    if (span) new Pipeline(this.data, database, this.places).read(span);
    else if (name === 'aggregate') throw broken('an aggregate has no pipeline');
  }

  #namespace(text: string | undefined, kind: CommandClass): void {
    const at = text?.indexOf('.') ?? -1;
    if (text === undefined || at <= 0) throw broken('a command names no collection');
    this.places.add({ class: kind, database: text.slice(0, at), collection: text.slice(at + 1) });
  }
}

function namespacesOf({ data, fields, sequences }: Request): readonly (Span | undefined)[] {
  const listed = spanOf(data, fields.get('nsInfo'));
  if (listed) return fewElements(data, listed, maxNamespaces).map((element) => spanOf(data, element));
  const found: Span[] = [];
  const sequence = sequences.find(({ identifier }) => identifier === 'nsInfo');
  for (const span of sequence ? documentsOf(data, sequence) : []) {
    if (found.length === maxNamespaces) throw broken('a bulkWrite names too many collections');
    found.push(span);
  }
  return found;
}

const isNumber = ({ type }: Element): boolean =>
  type === bsonType.double || type === bsonType.int32 || type === bsonType.int64;
