import type { Question } from './decision.js';
import { printable } from './printable.js';

const shown = { members: 6, items: 4, text: 64 };

/** What was asked, as the end of a sentence: `use web/wiki with user "app"`, `see web/wiki`, `create role`. */
export function actionText({ kind, name, verb, ask }: Question): string {
  if (verb !== undefined) return `${verb} ${printable(kind)}`;
  const resource = resourceText({ kind, name });
  if (ask === undefined) return `see ${resource}`;
  const asked = askText(ask);
  return asked === '' ? `use ${resource}` : `use ${resource} with ${asked}`;
}

/** `kind/name` of a resource. */
export const resourceText = ({ kind, name }: { readonly kind: string; readonly name?: string | undefined }): string =>
  printable(name === undefined ? kind : `${kind}/${name}`);

/** The members of an ask that can be shown, each cut to a bounded length: `user "app", database "books"`. */
function askText(ask: unknown): string {
  if (typeof ask !== 'object' || ask === null) return '';
  const members = Object.entries(ask).flatMap(([key, value]) => {
    const text = valueText(value);
    return text === undefined ? [] : [`${printable(key, shown.text)} ${text}`];
  });
  return list(members, shown.members);
}

/** The command by which an administrator sees the whole decision, safe to be pasted into a shell. */
export const explainCommand = (question: Question): string =>
  `postern rbac explain ${shellWord(question.user)} ${shellWord(resourceText(question))}`;

/** `a, b and 3 more`. */
export function list(items: readonly string[], limit: number): string {
  const more = items.length - limit;
  return items.slice(0, limit).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

function valueText(value: unknown): string | undefined {
  if (typeof value === 'string') return JSON.stringify(printable(value, shown.text));
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (!Array.isArray(value)) return undefined;
  const items = value.slice(0, shown.items).map(valueText);
  return items.includes(undefined) ? undefined : `[${items.join(', ')}${value.length > shown.items ? ', …' : ''}]`;
}

function shellWord(text: string): string {
  const word = printable(text);
  return /^[A-Za-z0-9._@+/][A-Za-z0-9._@+/-]*$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
