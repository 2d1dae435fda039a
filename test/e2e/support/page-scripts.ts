/** Scripts as pages run them, for `page.evaluate`: expressions whose promises are waited for. */

const text = (value: unknown): string => JSON.stringify(value);

/** Opens a WebSocket, says something, and leaves it in `window.open`. The answer, or `refused`. */
export const say = (url: string, message: string): string => `new Promise((resolve) => {
  const socket = window.open = new WebSocket(${text(url)});
  socket.onopen = () => socket.send(${text(message)});
  socket.onmessage = ({ data }) => resolve(data);
  socket.onerror = () => resolve('refused');
  socket.onclose = ({ code, reason }) => window.closed_ = code + ' ' + reason;
})`;

/** How the WebSocket of {@link say} was closed: its code and reason; nothing while it is open. */
export const closed = 'window.closed_ ?? ""';

/** The first server-sent event at a path, while the stream goes on. */
export const firstEvent = (path: string): string => `new Promise((resolve, reject) => {
  const source = new EventSource(${text(path)});
  source.onmessage = ({ data }) => { resolve(data); source.close(); };
  source.onerror = () => reject(new Error('no event'));
})`;

/** The length and the SHA-256 of what is at a path. */
export const digestOf = (path: string): string => `(async () => {
  const bytes = await (await fetch(${text(path)})).arrayBuffer();
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return bytes.byteLength + ' ' + [...hash].map((one) => one.toString(16).padStart(2, '0')).join('');
})()`;

/** Sends so many bytes `x` to a path. What the answer says. */
export const upload = (path: string, bytes: number): string =>
  `fetch(${text(path)}, { method: 'POST', body: new Blob([new Uint8Array(${bytes}).fill(120)]) }).then((answer) => answer.text())`;

/** A request as any page can make it: the status or the kind of the answer, or `refused`. */
export const request = (url: string, options: Readonly<Record<string, unknown>> = {}): string =>
  `fetch(${text(url)}, ${text({ credentials: 'include', ...options })}).then(
    (answer) => answer.status || answer.type, () => 'refused')`;

/** Sends a form that the user never saw. */
export const submit = (url: string, fields: Readonly<Record<string, string>>): string => `(() => {
  const form = document.body.appendChild(document.createElement('form'));
  Object.assign(form, { method: 'post', action: ${text(url)} });
  for (const [name, value] of Object.entries(${text(fields)}))
    form.appendChild(Object.assign(document.createElement('input'), { name, value }));
  form.submit();
})()`;

/** Shows a page in a frame. */
export const embed = (url: string): string => `new Promise((resolve) => {
  const frame = Object.assign(document.createElement('iframe'), { src: ${text(url)}, onload: () => resolve(true) });
  document.body.appendChild(frame);
})`;
