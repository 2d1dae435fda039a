export { type DemoAccess, type PosternProduct } from './postern/product.js';
export { posternProgram } from './postern/program.js';
export { pshProgram } from './psh/program.js';
export { summarize, type PluginSummary, type PshProduct } from './psh/product.js';
export { runProgram } from './run-program.js';
