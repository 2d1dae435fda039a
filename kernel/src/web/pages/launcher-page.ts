import type { WebResource, WebSession } from '../sessions/index.js';
import { html, type Html } from './html.js';
import { layout } from './layout.js';

export interface LauncherPage {
  readonly cluster: string;
  readonly session: WebSession;
  readonly token: string;
  readonly resources: readonly WebResource[];
  /** The page or the application of a resource, where it has one. */
  readonly linkOf: (resource: WebResource) => string | undefined;
}

/** What the user may reach, kind by kind. */
export function launcherPage({ cluster, session, token, resources, linkOf }: LauncherPage): Html {
  const { user, roles, expires } = session;
  const kinds = [...new Set(resources.map(({ title }) => title))].sort();
  const sorted = [...resources].sort((one, other) => order.compare(one.name, other.name));
  const groups = kinds.map((title) => group(title, { resources: sorted.filter((one) => one.title === title), linkOf }));
  const nothing = html`<p>Your roles open nothing here. Ask an administrator.</p>`;
  return layout({
    cluster,
    title: 'Resources',
    user: { name: user, token },
    body: [
      resources.length === 0 ? nothing : groups,
      html`<p class="quiet">
        Roles: ${roles.join(', ') || 'none'}. Logged in until
        <time datetime="${expires.toISOString()}">${minutes(expires)}</time>.
      </p>`,
    ],
  });
}

/** As people count: `web-9` before `web-10`. */
const order = new Intl.Collator('en', { numeric: true });

/** A column that is there if anything stands in it. */
interface Column {
  readonly title: string;
  readonly cell: (resource: WebResource) => Html | undefined;
}

const columns: readonly Column[] = [
  {
    title: 'You may become',
    cell: ({ principals }) =>
      principals.length > 0 ? html`<td data-title="You may become">${principals.join(', ')}</td>` : undefined,
  },
  {
    title: 'Labels',
    cell: ({ labels }) => {
      const pairs = Object.entries(labels).map(([key, value]) => html`<span class="label">${key}=${value}</span> `);
      return pairs.length > 0 ? html`<td class="quiet">${pairs}</td>` : undefined;
    },
  },
  {
    title: 'State',
    cell: ({ health }) => health && html`<td class="${health.ok ? 'quiet' : 'bad'}">${health.detail}</td>`,
  },
];

function group(title: string, { resources, linkOf }: Pick<LauncherPage, 'resources' | 'linkOf'>): Html {
  const shown = columns.filter(({ cell }) => resources.some((resource) => cell(resource) !== undefined));
  return html`<section>
    <h2>${title}</h2>
    <table>
      <thead>
        <tr>
          <th scope="col">Name</th>
          ${shown.map((column) => html`<th scope="col">${column.title}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${resources.map((resource) => row(resource, linkOf(resource), shown))}
      </tbody>
    </table>
  </section>`;
}

function row(resource: WebResource, link: string | undefined, shown: readonly Column[]): Html {
  const { name } = resource;
  const label = link === undefined ? html`${name}` : html`<a href="${link}">${name}</a>`;
  return html`<tr>
    <th scope="row">${label}</th>
    ${shown.map(({ cell }) => cell(resource) ?? html`<td></td>`)}
  </tr> `;
}

const minutes = (when: Date): string => `${when.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
