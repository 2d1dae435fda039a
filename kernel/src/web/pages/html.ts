/** A piece of a page whose text is escaped already. Made by {@link html} alone. */
export class Html {
  constructor(readonly text: string) {}
}

/** What may stand in a page: texts are escaped, pieces stand as they are, lists one after the other, nothing is nothing. */
export type Content = string | number | Html | undefined | false | readonly Content[];

/** A piece of a page. Whatever is put in is text, between tags and in quoted attributes alike. */
export function html(literal: TemplateStringsArray, ...content: readonly Content[]): Html {
  return new Html(literal.map((text, index) => text + textOf(content[index])).join(''));
}

function textOf(content: Content): string {
  if (content === undefined || content === false) return '';
  if (content instanceof Html) return content.text;
  if (typeof content === 'string') return escape(content);
  if (typeof content === 'number') return String(content);
  return content.map(textOf).join('');
}

const references: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

const escape = (text: string): string => text.replaceAll(/[&<>"']/g, (character) => references[character] ?? '');
