const masked = Buffer.from('[masked]');

const nowhere: ReadonlySet<number> = new Set();

/** The password in `ACL SETUSER` rules, by what they begin with. */
const isPasswordRule = (word: Buffer): boolean => '><#!'.includes(String.fromCharCode(word[0] ?? 0));

const textOf = (word: Buffer | undefined): string => (word ?? Buffer.alloc(0)).toString('latin1').toLowerCase();

/** The words behind one of these, so many of them. */
function behind(words: readonly Buffer[], keywords: Readonly<Record<string, number>>): Set<number> {
  const found = new Set<number>();
  words.forEach((word, index) => {
    for (let offset = 1; offset <= (keywords[textOf(word)] ?? 0); offset++) found.add(index + offset);
  });
  return found;
}

/** Where in a command's arguments secrets stand, by the command's policy name. */
function secretPlaces(name: string, words: readonly Buffer[]): ReadonlySet<number> {
  if (name === 'auth') return new Set(words.keys());
  if (name === 'hello') return behind(words, { auth: 2 });
  if (name === 'migrate') return behind(words, { auth: 1, auth2: 2 });
  if (name === 'acl|setuser')
    return new Set([...words.keys()].filter((index) => isPasswordRule(words[index] ?? masked)));
  if (name === 'config|set')
    return new Set([...words.keys()].filter((index) => index > 0 && /auth|pass/.test(textOf(words[index - 1]))));
  if (name === 'sentinel|set') return behind(words, { 'auth-pass': 1, 'auth-user': 1 });
  return nowhere;
}

/** A command's arguments with every password replaced. */
export function maskArguments(name: string, words: readonly Buffer[]): readonly Buffer[] {
  const secret = secretPlaces(name, words);
  return secret.size === 0 ? words : words.map((word, index) => (secret.has(index) ? masked : word));
}
