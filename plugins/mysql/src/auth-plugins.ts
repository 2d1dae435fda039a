import mysql2 from 'mysql2';

/** The part of mysql2's plugins that works without a connection of its own. */
interface PluginModule {
  (options: object): (session: object) => (data: Buffer) => Buffer | null;
}

const plugins = (mysql2 as unknown as { readonly authPlugins: Readonly<Record<string, PluginModule>> }).authPlugins;

function first(name: string, password: string, nonce: Buffer): Buffer {
  const make = plugins[name];
  const exchange = make?.({})({ connection: { config: { password } }, command: {} });
  return exchange?.(nonce) ?? Buffer.alloc(0);
}

/** What the two methods answer to the server's nonce: never the password, nor anything that can be used again. */
export const authPlugins = {
  native: (password: string, nonce: Buffer): Buffer => first('mysql_native_password', password, nonce.subarray(0, 20)),
  cachingSha2: (password: string, nonce: Buffer): Buffer =>
    first('caching_sha2_password', password, nonce.subarray(0, 20)),
};
