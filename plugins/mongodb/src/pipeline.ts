import { fewElements, spanOf, textOf, walkOperators, type Element, type Span } from './bson-elements.js';
import type { PlaceList } from './place-list.js';
import type { CommandClass } from './protocol.js';
import { broken } from './wire.js';

/** Stages of which it is known what they touch (MongoDB 8.0, aggregation stages). */
const knownStages = new Set(
  '$addFields $bucket $bucketAuto $changeStream $changeStreamSplitLargeEvent $collStats $count $densify $documents $facet $fill $geoNear $graphLookup $group $indexStats $limit $listSearchIndexes $lookup $match $merge $out $planCacheStats $project $rankFusion $redact $replaceRoot $replaceWith $sample $score $scoreFusion $search $searchMeta $set $setWindowFields $skip $sort $sortByCount $unionWith $unset $unwind $vectorSearch'.split(
    ' ',
  ),
);

const maxStages = 1000;

/** By which collections are named in a document, beside `db`. */
const collectionKeys = new Set(['coll', 'replace', 'merge', 'reduce']);

/** Operators by which JavaScript runs in the server. */
const scripts: readonly string[] = ['$where', '$function', '$accumulator'];
const scriptNames: readonly Buffer[] = scripts.map((name) => Buffer.from(`${name}\0`));

/** True where JavaScript could run. Fast, since the answer is no for nearly every command. */
export function runsScripts(data: Buffer, spans: Iterable<Span>): boolean {
  // A name with what follows every name: where it is nowhere in the data, no field has it.
  if (!scriptNames.some((name) => data.includes(name))) return false;
  let found = false;
  for (const span of spans) walkOperators(data, span, ({ name }) => (found ||= scripts.includes(name)));
  return found;
}

/** Finds the places that the pipeline of a command touches beside its own. */
export class Pipeline {
  constructor(
    private readonly data: Buffer,
    private readonly database: string,
    private readonly places: PlaceList,
  ) {}

  /** What is named at any depth, since expressions and further pipelines stand in many fields. */
  read(span: Span): void {
    this.#stages(span);
    walkOperators(this.data, span, (element) => this.#operator(element));
  }

  /** Where results are written: `"collection"`, `{ db, coll }`, `{ into: … }`, or mapReduce's `{ replace, db }`. */
  output(element: Element | undefined, nested = false): void {
    const text = textOf(this.data, element);
    if (text !== undefined) return this.places.add({ class: 'write', database: this.database, collection: text });
    const span = spanOf(this.data, element);
    if (!span || !element) throw broken('the output of a command is malformed');
    const fields = fewElements(this.data, span);
    const into = nested ? [] : fields.filter(({ name }) => name === 'into');
    if (into.length > 0) for (const one of into) this.output(one, true);
    else if (!fields.some(({ name }) => name === 'inline')) this.#pair(fields, 'write');
  }

  /** A stage that nobody knows may look at anything, as those do that show what the server does for everybody. */
  #stages(span: Span): void {
    for (const stage of fewElements(this.data, span, maxStages)) {
      const fields = spanOf(this.data, stage);
      for (const { name } of fields ? fewElements(this.data, fields) : [])
        if (!knownStages.has(name)) this.places.add({ class: 'administer', database: this.database });
    }
  }

  #operator(element: Element): void {
    const { name } = element;
    if (name === '$out' || name === '$merge') return this.output(element);
    if (name === '$lookup' || name === '$graphLookup') return this.#source(element, 'from');
    if (name === '$unionWith') return this.#source(element, 'coll');
    const fields = name === '$facet' || name === '$changeStream' ? spanOf(this.data, element) : undefined;
    if (fields) for (const field of fewElements(this.data, fields)) this.#option(name, field);
  }

  #option(operator: string, field: Element): void {
    const stages = operator === '$facet' ? spanOf(this.data, field) : undefined;
    if (stages) this.#stages(stages);
    if (operator === '$changeStream' && field.name === 'allChangesForCluster')
      this.places.add({ class: 'administer', database: this.database });
  }

  /** `"collection"`, or `{ <key>: "collection" }`, or `{ <key>: { db, coll } }`, with a pipeline perhaps. */
  #source(element: Element, key: string): void {
    const { data, database } = this;
    const text = textOf(data, element);
    if (text !== undefined) return this.places.add({ class: 'read', database, collection: text });
    const span = spanOf(data, element);
    if (!span) return;
    const fields = fewElements(data, span);
    const others = fields.flatMap((field) => (field.name === 'db' ? (textOf(data, field) ?? []) : []));
    for (const field of fields) {
      if (field.name === key) this.#from(field, [database, ...others]);
      const stages = field.name === 'pipeline' ? spanOf(data, field) : undefined;
      if (stages) this.#stages(stages);
    }
  }

  #from(field: Element, databases: readonly string[]): void {
    const collection = textOf(this.data, field);
    const pair = spanOf(this.data, field);
    if (collection !== undefined)
      for (const database of databases) this.places.add({ class: 'read', database, collection });
    else if (pair) this.#pair(fewElements(this.data, pair), 'read');
    else throw broken('a collection is named by something that is no name');
  }

  #pair(fields: readonly Element[], kind: CommandClass): void {
    const named = fields.filter(({ name }) => collectionKeys.has(name));
    const others = fields.filter(({ name }) => name === 'db');
    const [collection, database = this.database] = [...named, ...others].map((field) => textOf(this.data, field));
    if (named.length !== 1 || others.length > 1 || collection === undefined)
      throw broken('a collection is named by something that is no name');
    if (others.length === 1 && textOf(this.data, others[0]) === undefined)
      throw broken('a database is named by something that is no name');
    this.places.add({ class: kind, database, collection });
  }
}
