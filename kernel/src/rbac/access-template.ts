import type { Path } from './problem.js';
import { parseTemplate, traitValues, type Template, type Traits } from './template.js';

/** The access keys of an entry with their templates found; a part without any is `fixed`. */
export type AccessNode =
  | { readonly kind: 'fixed'; readonly value: unknown }
  | Template
  | { readonly kind: 'list'; readonly items: readonly AccessNode[] }
  | { readonly kind: 'object'; readonly members: readonly (readonly [string, AccessNode])[] };

export type ReadAccess = AccessNode | { readonly kind: 'malformed'; readonly path: Path; readonly problem: string };

/** Finds the templates in access keys. A template in the name of a key is malformed: it would never be replaced. */
export function readAccess(value: unknown, path: Path = []): ReadAccess {
  if (typeof value === 'string') return readText(value, path);
  if (typeof value !== 'object' || value === null) return { kind: 'fixed', value };
  const isList = Array.isArray(value);
  const members: [string, AccessNode][] = [];
  for (const [key, inner] of Object.entries(value)) {
    const here = [...path, isList ? Number(key) : key];
    if (key.includes('{{')) return { kind: 'malformed', path: here, problem: 'the name of a key takes no template' };
    const node = readAccess(inner, here);
    if (node.kind === 'malformed') return node;
    members.push([key, node]);
  }
  if (members.every(([, { kind }]) => kind === 'fixed')) return { kind: 'fixed', value };
  return isList ? { kind: 'list', items: members.map(([, node]) => node) } : { kind: 'object', members };
}

function readText(value: string, path: Path): ReadAccess {
  const parsed = parseTemplate(value);
  if (parsed.kind === 'malformed') return { ...parsed, path };
  return parsed.kind === 'template' ? parsed : { kind: 'fixed', value };
}

/**
 * Replaces the templates of one entry by one user's traits. An item of a list
 * becomes as many items as its trait has values; a single text becomes that
 * text where there is exactly one value, and the list of them otherwise.
 *
 * Under `allow`, values that contain `*` are left out: a protocol would read
 * them as a pattern. Under `deny` they stay, since there they can only take away.
 */
export class Expansion {
  /** For each list that was made here: where each item stands in the role, and whether a trait brought it. */
  readonly #made = new Map<unknown, readonly Origin[]>();

  constructor(
    private readonly traits: Traits,
    private readonly clause: 'allow' | 'deny',
  ) {}

  expand(node: AccessNode): unknown {
    switch (node.kind) {
      case 'fixed':
        return node.value;
      case 'object':
        return Object.fromEntries(node.members.map(([key, inner]) => [key, this.expand(inner)]));
      case 'list':
        return this.#list(node.items);
      case 'template': {
        const values = this.#values(node);
        return values.length === 1 ? values[0] : this.#list([node]);
      }
    }
  }

  /** The path in the role of what stands at a path of the result; nothing where a template decides what stands there. */
  writtenPath(root: unknown, path: Path): Path | undefined {
    const way = this.#way(root, path);
    if (this.#made.has(way.at(-1)?.value)) return undefined;
    const origins = way.map(({ value, step }) => this.#originAt(value, step));
    if (origins.some((origin) => origin?.isTrait)) return undefined;
    return path.map((step, index) => origins[index]?.position ?? step);
  }

  /** Takes the items at these paths out of their lists, if traits brought all of them. False changes nothing. */
  withdraw(root: unknown, paths: readonly Path[]): boolean {
    const gone = new Map<unknown[], Set<number>>();
    for (const path of paths) {
      const found = this.#way(root, path).findLast(({ value, step }) => this.#originAt(value, step)?.isTrait);
      if (!found) return false;
      const list = found.value as unknown[];
      gone.set(list, (gone.get(list) ?? new Set()).add(Number(found.step)));
    }
    for (const [list, positions] of gone)
      list.splice(0, list.length, ...list.filter((_, position) => !positions.has(position)));
    return gone.size > 0;
  }

  #list(items: readonly AccessNode[]): unknown[] {
    const list: unknown[] = [];
    const origins: Origin[] = [];
    items.forEach((item, position) => {
      const isTrait = item.kind === 'template';
      for (const value of isTrait ? this.#values(item) : [this.expand(item)]) {
        list.push(value);
        origins.push({ position, isTrait });
      }
    });
    this.#made.set(list, origins);
    return list;
  }

  #values({ before, trait, after }: Template): readonly string[] {
    const values = traitValues(this.traits, trait);
    // The operator's own `*` around a template stays; only what the trait brings is looked at.
    const plain = this.clause === 'deny' ? values : values.filter((value) => !value.includes('*'));
    return plain.map((value) => before + value + after);
  }

  #originAt(value: unknown, step: Path[number] | undefined): Origin | undefined {
    return typeof step === 'number' ? this.#made.get(value)?.[step] : undefined;
  }

  /** Every part on the way to a path, with the step that is taken from it. */
  #way(root: unknown, path: Path): { readonly value: unknown; readonly step: Path[number] | undefined }[] {
    let value = root;
    return [...path, undefined].map((step) => {
      const here = { value, step };
      const isObject = typeof value === 'object' && value !== null && step !== undefined;
      value = isObject ? (value as Readonly<Record<string | number, unknown>>)[step] : undefined;
      return here;
    });
  }
}

interface Origin {
  readonly position: number;
  readonly isTrait: boolean;
}
