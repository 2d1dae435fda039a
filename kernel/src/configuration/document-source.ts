import { isMap, LineCounter, parseAllDocuments, type Document } from 'yaml';
import { z } from 'zod';
import { PosternError } from '@postern/plugin-sdk';
import { badAlias } from './bad-alias.js';
import { nearest } from './nearest.js';
import { beyondBounds } from './yaml-bounds.js';

type Path = readonly PropertyKey[];

/** One YAML document together with where each of its parts stands, so that errors can point at a line. */
export class DocumentSource {
  private constructor(
    private readonly file: string,
    private readonly document: Document.Parsed,
    private readonly lines: LineCounter,
  ) {}

  /**
   * Every document of a text. Throws `invalid_config` with file, line and column for what is not YAML, and for what is
   * longer or nested deeper than any configuration is.
   */
  static parse(text: string, file: string): readonly DocumentSource[] {
    const beyond = beyondBounds(text);
    if (beyond !== undefined) throw PosternError.public('invalid_config', `${file}: ${beyond}`);
    const lines = new LineCounter();
    const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false }) as Document.Parsed[];
    return documents.map((document) => {
      const source = new DocumentSource(file, document, lines);
      const [error] = document.errors;
      // What stands behind a colon is quoted from the file, which can hold a secret.
      if (error) throw source.#wrong(error.pos[0], error.message.replace(/(?<=\S):[^]*/, ''));
      const alias = badAlias(document);
      if (alias) throw source.#wrong(alias.at, alias.problem);
      return source;
    });
  }

  /** The document as plain data. Throws `invalid_config` where its aliases stand for far more than is written. */
  value(): unknown {
    try {
      return this.document.toJS({ maxAliasCount: 100 }) as unknown;
    } catch {
      throw PosternError.public('invalid_config', `${this.at([])}: the aliases of this document stand for too much`);
    }
  }

  /** Checks the document. Throws `invalid_config` that lists every problem with file, line and, for a key, its nearest match. */
  check<S extends z.ZodType>(schema: S): z.output<S> {
    return this.checkAt([], schema, this.value() ?? {});
  }

  /** Checks a value that stands at `path` of this document, as {@link check} does for the whole. */
  checkAt<S extends z.ZodType>(path: Path, schema: S, value: unknown): z.output<S> {
    const result = schema.safeParse(value);
    if (result.success) return result.data;
    const problems = result.error.issues.flatMap((issue) => this.#describe(issue, schema, path));
    throw PosternError.public('invalid_config', problems.join('\n'));
  }

  /** `file:line:column` of the value at a path, or of the nearest part that exists. */
  at(path: Path): string {
    for (let length = path.length; length >= 0; length--) {
      const node = this.#node(path.slice(0, length));
      if (node === undefined) continue;
      const { line, col } = this.lines.linePos(node);
      return `${this.file}:${line}:${col}`;
    }
    return `${this.file}:1:1`;
  }

  #wrong(offset: number, problem: string): PosternError {
    const { line, col } = this.lines.linePos(offset);
    return PosternError.public('invalid_config', `${this.file}:${line}:${col}: ${problem}`);
  }

  #describe(issue: z.core.$ZodIssue, schema: z.ZodType, base: Path): string[] {
    const path = [...base, ...issue.path];
    if (issue.code !== 'unrecognized_keys') {
      const where = path.length > 0 ? `${path.map(String).join('.')}: ` : '';
      return [`${this.at(path)}: ${where}${issue.message}`];
    }
    const known = keysAt(schema, issue.path);
    return issue.keys.map((key) => {
      const meant = nearest(key, known);
      const where = [...path, key].map(String).join('.');
      const all = known.length > 0 ? `; known here: ${known.join(', ')}` : '';
      return `${this.at([...path, key])}: unknown key ${where}${meant ? `; did you mean ${meant}?` : all}`;
    });
  }

  /** The offset of a key where the path ends in one, else of the value. */
  #node(path: Path): number | undefined {
    const parent: unknown = path.length > 1 ? this.document.getIn(path.slice(0, -1), true) : this.document.contents;
    if (path.length === 0) return this.document.contents?.range[0];
    if (isMap(parent)) {
      const pair = parent.items.find(({ key }) => (key as { value?: unknown } | null)?.value === path.at(-1));
      return (pair?.key as { range?: readonly number[] } | undefined)?.range?.[0];
    }
    const node = this.document.getIn(path, true) as { range?: readonly number[] } | undefined;
    return node?.range?.[0];
  }
}

/** The keys that a schema knows at a path, through the wrappers that zod puts around objects. */
function keysAt(schema: z.ZodType, path: Path): readonly string[] {
  let current: z.ZodType | undefined = unwrap(schema);
  for (const step of path) {
    if (current instanceof z.ZodObject) current = unwrap(current.shape[String(step)] as z.ZodType | undefined);
    else if (current instanceof z.ZodRecord) current = unwrap(current.valueType as z.ZodType);
    else if (current instanceof z.ZodArray) current = unwrap(current.element as z.ZodType);
    else return [];
  }
  return current instanceof z.ZodObject ? Object.keys(current.shape) : [];
}

function unwrap(schema: z.ZodType | undefined): z.ZodType | undefined {
  let current = schema;
  while (current && 'innerType' in current.def) current = current.def.innerType as z.ZodType;
  return current;
}
