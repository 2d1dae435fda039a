export { PluginSet, type EnabledPlugin, type PluginSelection } from './plugin-set.js';
