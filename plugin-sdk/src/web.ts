/** A custom element in an ES module below {@link WebModule.assets}. */
export interface WebView {
  /** The element's name, with the protocol's id in it. */
  readonly element: string;
  readonly module: string;
}

/**
 * The browser's half: files that the proxy serves under a hash of their
 * content, and the elements that its pages place. A view gets what it shows
 * through properties, and never a cookie.
 */
export interface WebModule {
  /** A directory, as a `file:` URL. */
  readonly assets: URL;
  readonly views: {
    /** A session in the browser. */
    readonly launch?: WebView;
    /** Plays a recording. */
    readonly playback?: WebView;
    /** Shows one session's events. */
    readonly details?: WebView;
  };
}
