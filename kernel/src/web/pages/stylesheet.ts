import { createHash } from 'node:crypto';

/** The only style sheet of the kernel's pages. */
export const stylesheet = `:root {
  color-scheme: light dark;
  --text: light-dark(#1c2024, #e6e8eb);
  --quiet: light-dark(#5a6270, #a0a7b3);
  --ground: light-dark(#ffffff, #16181b);
  --raised: light-dark(#f4f5f7, #202328);
  --line: light-dark(#d5d9df, #363b43);
  --edge: light-dark(#808894, #747c89);
  --accent: light-dark(#1f5fbf, #8ab4ff);
  --on-accent: light-dark(#ffffff, #10151d);
  --bad: light-dark(#a3231b, #ff9d94);
}
* { box-sizing: border-box; }
body {
  margin: 0;
  background: var(--ground);
  color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif;
}
a { color: var(--accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.skip { position: absolute; left: -100vw; }
.skip:focus { left: 1rem; top: 0.5rem; background: var(--ground); padding: 0.25rem 0.5rem; }
header {
  display: flex;
  flex-wrap: wrap;
  gap: 0.5rem 1rem;
  align-items: center;
  justify-content: space-between;
  padding: 0.75rem 1.5rem;
  border-bottom: 1px solid var(--line);
}
header form { display: flex; gap: 1rem; align-items: center; }
.cluster { font-weight: 600; color: inherit; text-decoration: none; }
main { max-width: 60rem; margin: 0 auto; padding: 1rem 1.5rem 3rem; }
h1 { font-size: 1.5rem; }
h2 { font-size: 1.1rem; margin: 2rem 0 0.5rem; }
.narrow { max-width: 24rem; }
.narrow label { display: block; margin: 1rem 0 0.25rem; }
input:not([type='hidden']) {
  width: 100%;
  padding: 0.5rem;
  font: inherit;
  color: inherit;
  background: var(--ground);
  border: 1px solid var(--edge);
  border-radius: 4px;
}
button {
  padding: 0.4rem 0.9rem;
  font: inherit;
  color: inherit;
  background: var(--raised);
  border: 1px solid var(--line);
  border-radius: 4px;
  cursor: pointer;
}
.narrow button { margin-top: 1.5rem; color: var(--on-accent); background: var(--accent); border-color: var(--accent); }
.hint, .quiet { color: var(--quiet); font-size: 0.9rem; }
.alert { padding: 0.75rem 1rem; border-left: 4px solid var(--bad); background: var(--raised); overflow-wrap: anywhere; }
table { width: 100%; border-collapse: collapse; }
th, td { padding: 0.5rem 0.75rem 0.5rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th, td { overflow-wrap: break-word; }
thead th { font-size: 0.9rem; color: var(--quiet); white-space: nowrap; }
.label { display: inline-block; margin-right: 0.75rem; }
.hint { margin-top: 0.25rem; }
@media (max-width: 40rem) {
  header, main { padding-left: 1rem; padding-right: 1rem; }
  table, tbody, tr, tbody th, td { display: block; }
  thead { position: absolute; left: -100vw; }
  tbody tr { padding: 0.5rem 0; border-bottom: 1px solid var(--line); }
  tbody th, td { padding: 0.15rem 0; border: 0; overflow-wrap: anywhere; }
  td:empty { display: none; }
  td[data-title]::before { content: attr(data-title) ': '; color: var(--quiet); }
}
.bad { color: var(--bad); }
`;

/** Where it is; another place for another content, so that browsers may keep it. */
export const stylesheetPath = `/web/postern.css?v=${createHash('sha256').update(stylesheet).digest('hex').slice(0, 16)}`;
