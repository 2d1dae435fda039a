/** What a certificate says about its holder beyond the name, by trait. */
export type Traits = Readonly<Record<string, readonly string[]>>;

/** A text with the place of one trait in it. `whole` is the text as the operator wrote it. */
export interface Template {
  readonly kind: 'template';
  readonly whole: string;
  readonly before: string;
  readonly trait: string;
  readonly after: string;
}

export type ParsedText =
  | { readonly kind: 'literal'; readonly text: string }
  | Template
  | { readonly kind: 'malformed'; readonly problem: string };

const reference = /^(?:internal|external)(?:\.([A-Za-z_][A-Za-z0-9_-]{0,127})|\["([^"\\]{1,256})"\])$/;
const call = /^([A-Za-z_][A-Za-z0-9_.]*)\s*\(/;

/**
 * Reads one text of a role. A template is `{{internal.name}}`,
 * `{{external.name}}` or `{{external["any name"]}}`, at most one in a text, with
 * any other text around it. `internal` and `external` name the same traits of
 * the certificate; the words tell readers who fills them, the cluster or the
 * identity provider. Everything else between `{{` and `}}` is malformed: there
 * are no functions and no expressions.
 */
export function parseTemplate(text: string): ParsedText {
  const open = text.indexOf('{{');
  if (open < 0) return { kind: 'literal', text };
  const close = text.indexOf('}}', open);
  if (close < 0) return malformed(text, 'the template has no closing }}');
  const after = text.slice(close + 2);
  if (after.includes('{{')) return malformed(text, 'a text holds at most one template');
  const inner = text.slice(open + 2, close).trim();
  const match = reference.exec(inner);
  const trait = match?.[1] ?? match?.[2];
  if (trait !== undefined) return { kind: 'template', whole: text, before: text.slice(0, open), trait, after };
  const name = call.exec(inner)?.[1];
  return malformed(text, name ? `there is no function ${name}` : 'use {{internal.trait}} or {{external.trait}}');
}

/** The values of a trait, without empty ones: an unknown trait has none. */
export function traitValues(traits: Traits, trait: string): readonly string[] {
  const values: unknown = Object.hasOwn(traits, trait) ? traits[trait] : undefined;
  if (!Array.isArray(values)) return [];
  return values.filter((value): value is string => typeof value === 'string' && value !== '');
}

/**
 * The texts of a list, each template replaced by one text for each value of its
 * trait; the values are not looked at for further templates. A malformed template yields nothing, as an unknown trait does.
 */
export function expandList(texts: readonly string[], traits: Traits): readonly string[] {
  return texts.flatMap((text) => {
    const parsed = parseTemplate(text);
    if (parsed.kind === 'literal') return [text];
    if (parsed.kind === 'malformed') return [];
    return traitValues(traits, parsed.trait).map((value) => parsed.before + value + parsed.after);
  });
}

const malformed = (text: string, problem: string): ParsedText => ({
  kind: 'malformed',
  problem: `${JSON.stringify(text.slice(0, 80))}: ${problem}`,
});
