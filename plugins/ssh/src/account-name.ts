/**
 * What unix accounts are called, those of Windows domains (`DOMAIN\\name`,
 * `name@domain`, `machine$`) among them. No name is one that a program could
 * take for an option, a path, a number or several words.
 */
export const accountName = /^[A-Za-z_][A-Za-z0-9_.@\\+-]{0,127}\$?$/;
