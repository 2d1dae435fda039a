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

function group(title: string, { resources, linkOf }: Pick<LauncherPage, 'resources' | 'linkOf'>): Html {
  return html`<section>
    <h2>${title}</h2>
    <table>
      <thead>
        <tr>
          <th scope="col">Name</th>
          <th scope="col">You may become</th>
          <th scope="col">Labels</th>
          <th scope="col">State</th>
        </tr>
      </thead>
      <tbody>
        ${resources.map((resource) => row(resource, linkOf(resource)))}
      </tbody>
    </table>
  </section>`;
}

function row({ name, labels, principals, health }: WebResource, link: string | undefined): Html {
  const label = link === undefined ? html`${name}` : html`<a href="${link}">${name}</a>`;
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  return html`<tr>
    <th scope="row">${label}</th>
    <td>${principals.join(', ')}</td>
    <td class="quiet">${pairs.join(', ')}</td>
    <td class="${health && !health.ok ? 'bad' : 'quiet'}">${health ? health.detail : ''}</td>
  </tr> `;
}

const minutes = (when: Date): string => `${when.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
