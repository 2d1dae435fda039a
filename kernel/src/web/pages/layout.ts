import { html, type Content, type Html } from './html.js';
import { stylesheetPath } from './stylesheet.js';

export interface Page {
  readonly cluster: string;
  /** What is in the browser's tab, before the name of the cluster. */
  readonly title: string;
  readonly body: Content;
  /** Who is logged in, and the token of the form that logs out. */
  readonly user?: { readonly name: string; readonly token: string } | undefined;
}

/** A whole page. */
export function layout({ cluster, title, body, user }: Page): Html {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title} · ${cluster}</title>
        <link rel="stylesheet" href="${stylesheetPath}" />
      </head>
      <body>
        <a class="skip" href="#content">Skip to the content</a>
        <header>
          <a class="cluster" href="/web/">${cluster}</a>
          ${
            user &&
            html`<form method="post" action="/web/logout">
              <span>${user.name}</span>
              <input type="hidden" name="token" value="${user.token}" />
              <button type="submit">Log out</button>
            </form>`
          }
        </header>
        <main id="content">
          <h1>${title}</h1>
          ${body}
        </main>
      </body>
    </html> `;
}

/** What a user has to know about something that went wrong. */
export const alert = (text: string): Html => html`<p class="alert" role="alert">${text}</p>`;

/** A page that says why there is nothing else to see. */
export const problemPage = (page: Pick<Page, 'cluster' | 'title' | 'user'> & { readonly text: string }): Html =>
  layout({
    ...page,
    body: html`${alert(page.text)}
      <p><a href="/web/">To your resources</a></p>`,
  });
