/** A custom element in an ES module below {@link WebModule.assets}. */
export interface WebView {
  /** The element's name, with the protocol's id in it. */
  readonly element: string;
  readonly module: string;
}

/**
 * The browser's half: files that the proxy serves at `/web/<kind>/assets/…`, and
 * the elements that its pages place. A view gets what it shows through
 * attributes, and never a cookie: `resource` and `user` are names, and `socket`
 * is the path, on the page's own host, below which WebSockets lead to the
 * session ({@link webAlpn}). Scripts, styles and connections are of the page's
 * own origin alone.
 */
export interface WebModule {
  /** A directory, as a `file:` URL. */
  readonly assets: URL;
  /** The assets have WebAssembly in them; pages of other plugins may not compile any. */
  readonly wasm?: boolean;
  readonly views: {
    /** A session in the browser. */
    readonly launch?: WebView;
    /** Plays a recording. */
    readonly playback?: WebView;
    /** Shows one session's events. */
    readonly details?: WebView;
  };
}
