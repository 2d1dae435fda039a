import { visit, type Alias, type Document, type Node } from 'yaml';

/** The first alias that stands for nothing, or for something that it is a part of; `at` is its offset in the text. */
export function badAlias(document: Document.Parsed): { readonly at: number; readonly problem: string } | undefined {
  let found: { readonly at: number; readonly problem: string } | undefined;
  visit(document, {
    Alias(_key, alias: Alias, ancestors) {
      const target: Node | undefined = alias.resolve(document);
      const problem = target ? 'contains itself' : 'stands for nothing';
      if (target && !ancestors.includes(target)) return undefined;
      found = { at: alias.range?.[0] ?? 0, problem: `the alias ${problem}` };
      return visit.BREAK;
    },
  });
  return found;
}
