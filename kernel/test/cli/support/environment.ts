/** Sets variables of the environment until its scope ends; undefined takes one away. */
export function environment(values: Readonly<Record<string, string | undefined>>): Disposable {
  const before = Object.fromEntries(Object.keys(values).map((name) => [name, process.env[name]]));
  assign(values);
  return { [Symbol.dispose]: () => assign(before) };
}

function assign(values: Readonly<Record<string, string | undefined>>): void {
  for (const [name, value] of Object.entries(values))
    if (value === undefined) Reflect.deleteProperty(process.env, name);
    else process.env[name] = value;
}
