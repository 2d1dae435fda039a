/** The direction of dependencies, as a test: `plugins → plugin-sdk ← kernel ← config`. `npm run deps` checks it. */
module.exports = {
  forbidden: [
    {
      name: 'kernel-knows-no-plugin',
      severity: 'error',
      from: { path: '^(kernel|plugin-sdk)/' },
      to: { path: '^(plugins|config|docs)/' },
    },
    { name: 'sdk-knows-no-kernel', severity: 'error', from: { path: '^plugin-sdk/' }, to: { path: '^kernel/' } },
    {
      name: 'plugins-know-only-the-sdk',
      severity: 'error',
      from: { path: '^(plugins|docs/examples)/([^/]+)/' },
      to: { path: '^(kernel|config|plugins|test)/', pathNot: '^$1/$2/' },
    },
    {
      name: 'host-api-is-for-hosts',
      comment: 'runSession is how the kernel drives a plugin; a plugin must not drive itself.',
      severity: 'error',
      from: { path: '^(plugins|docs/examples)/', pathNot: '/test/' },
      to: { path: '^plugin-sdk/src/host' },
    },
    {
      name: 'declarations-are-data',
      comment: 'The Auth Service, the proxy and the CLI read protocol.ts and must not load protocol code with it.',
      severity: 'error',
      from: { path: '^plugins/[^/]+/src/protocol\\.ts$' },
      to: {
        path: '^plugins/|node_modules/(ssh2|mysql2|pg-protocol|mongodb|redis-parser|http-proxy)/',
        // A list of names, which is data as well.
        pathNot: '^plugins/https/src/own-header\\.ts$',
      },
    },
    {
      name: 'one-container',
      severity: 'error',
      from: { pathNot: '^plugin-sdk/src/di\\.ts$' },
      to: { path: 'node_modules/tsyringe/' },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'declared-packages-only',
      severity: 'error',
      from: { pathNot: '(\\.test\\.ts$|(^|/)test/)' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'unknown'] },
    },
    {
      name: 'no-dev-packages-in-product',
      severity: 'error',
      from: { path: '/src/', pathNot: '^plugin-sdk/src/testing/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(kernel|plugin-sdk|config|plugins/[^/]+)/dist/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    combinedDependencies: false,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['postern:source', 'import', 'node', 'default'],
      extensions: ['.ts', '.js', '.mjs'],
    },
  },
};
