/** `{ ms, in | out }` with base64: raw bytes as one line of JSON. */
export const packetLine = (direction: 'in' | 'out', data: Buffer, atMs: number): string =>
  `{"ms":${atMs},"${direction}":"${data.toString('base64')}"}\n`;

/** `{ ms, mark, … }`: what happened, as one line of JSON. No field can say another time or name. */
export function markLine(name: string, fields: Readonly<Record<string, unknown>>, atMs: number): string {
  const rest = JSON.stringify('ms' in fields || 'mark' in fields ? plain(fields) : fields).slice(1);
  const head = `{"ms":${atMs},"mark":${JSON.stringify(name)}`;
  return rest === '}' ? `${head}}\n` : `${head},${rest}\n`;
}

const plain = ({ ms: _ms, mark: _mark, ...fields }: Readonly<Record<string, unknown>>): object => fields;
