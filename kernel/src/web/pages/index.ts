export { forgetCookie, formCookie, readCookie, sessionCookie, setCookie } from './cookies.js';
export { html, Html, type Content } from './html.js';
export { alert, layout, problemPage, type Page } from './layout.js';
export { launcherPath, loginPath, nextPage } from './next-page.js';
export { isFromOwnOrigin } from './own-origin.js';
export { pageHeaders, type PageHeadersOptions } from './page-headers.js';
export { WebPages, type WebPagesOptions } from './web-pages.js';
