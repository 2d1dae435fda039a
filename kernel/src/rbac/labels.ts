import { concat, literal, matchesPattern, parsePattern, type Pattern } from './pattern.js';
import { parseTemplate, traitValues, type ParsedText, type Traits } from './template.js';

/** Labels of a resource. */
export type Labels = Readonly<Record<string, string>>;

/** The labels that an entry of a role asks for, as the operator writes them. */
export type LabelConditions = Readonly<Record<string, string | readonly string[]>>;

type Item =
  | { readonly kind: 'pattern'; readonly pattern: Pattern }
  | { readonly kind: 'trait'; readonly before: Pattern; readonly trait: string; readonly after: Pattern };

interface Condition {
  readonly key: string;
  readonly items: readonly Item[];
}

/** Label conditions, read once. */
export type LabelSelector =
  | { readonly kind: 'absent' }
  | { readonly kind: 'conditions'; readonly conditions: readonly Condition[] }
  | { readonly kind: 'malformed'; readonly problem: string };

/**
 * Reads label conditions. A resource has to meet all of them; a condition is
 * met when the label's value matches one of the listed values, in which `*`
 * stands for any characters and a template for the values of a trait, taken
 * literally. `'*': '*'` is met by every resource.
 */
export function compileLabels(written: LabelConditions | undefined): LabelSelector {
  const entries = Object.entries(written ?? {});
  if (entries.length === 0) return { kind: 'absent' };
  const conditions: Condition[] = [];
  for (const [key, values] of entries) {
    if (isEverything(key, values)) continue;
    const items: Item[] = [];
    for (const text of typeof values === 'string' ? [values] : values) {
      const parsed = parseTemplate(text);
      if (parsed.kind === 'malformed') return parsed;
      items.push(itemOf(parsed));
    }
    conditions.push({ key, items });
  }
  return { kind: 'conditions', conditions };
}

/** The keys whose conditions these labels do not meet; none of them when the resource is selected. */
export function unmetLabels(selector: LabelSelector, labels: Labels, traits: Traits): readonly string[] {
  if (selector.kind !== 'conditions') return [];
  return selector.conditions.filter((condition) => !isMet(condition, labels, traits)).map(({ key }) => key);
}

/** Whether an entry of `allow` or `deny` with this selector is about a resource with these labels. */
export function selects(selector: LabelSelector, clause: 'allow' | 'deny', labels: Labels, traits: Traits): boolean {
  // Without labels, or with labels that cannot be read, an entry allows nothing and denies everything.
  if (selector.kind !== 'conditions') return clause === 'deny';
  return selector.conditions.every((condition) => isMet(condition, labels, traits));
}

/** Conditions as people read them: `env=staging|prod, team=*`. */
export const describeConditions = (conditions: LabelConditions): string =>
  Object.entries(conditions)
    .map(([key, values]) => `${key}=${typeof values === 'string' ? values : values.join('|')}`)
    .join(', ');

function itemOf(parsed: Exclude<ParsedText, { kind: 'malformed' }>): Item {
  if (parsed.kind === 'literal') return { kind: 'pattern', pattern: parsePattern(parsed.text) };
  return {
    kind: 'trait',
    before: parsePattern(parsed.before),
    trait: parsed.trait,
    after: parsePattern(parsed.after),
  };
}

function isMet({ key, items }: Condition, labels: Labels, traits: Traits): boolean {
  const value: unknown = Object.hasOwn(labels, key) ? labels[key] : undefined;
  return typeof value === 'string' && items.some((item) => itemMatches(item, value, traits));
}

function itemMatches(item: Item, value: string, traits: Traits): boolean {
  if (item.kind === 'pattern') return matchesPattern(item.pattern, value);
  const { before, trait, after } = item;
  return traitValues(traits, trait).some((text) => matchesPattern(concat(concat(before, literal(text)), after), value));
}

const isEverything = (key: string, values: string | readonly string[]): boolean =>
  key === '*' && (values === '*' || (values.length === 1 && values[0] === '*'));
