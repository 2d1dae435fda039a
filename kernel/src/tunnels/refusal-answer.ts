/** Descriptions of a fatal TLS alert (RFC 8446, section 6.2). */
const alerts = { internal_error: 80, unrecognized_name: 112, decode_error: 50 } as const;

/**
 * A fatal alert in a record of its own. It answers a ClientHello before any key
 * exists, so that it goes in clear and every client prints it.
 */
export function tlsAlert(description: keyof typeof alerts): Buffer {
  return Buffer.from([21, 3, 3, 0, 2, 2, alerts[description]]);
}

/** What a client that speaks HTTP without TLS is told; `undefined` for anything else. */
export function plainHttpAnswer(head: Buffer): Buffer | undefined {
  if (!/^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|CONNECT|TRACE) /.test(head.toString('latin1', 0, 8))) return undefined;
  const body = 'this port speaks TLS: use https://\n';
  const lines = ['HTTP/1.1 400 Bad Request', 'Content-Type: text/plain', `Content-Length: ${body.length}`];
  return Buffer.from([...lines, 'Connection: close', '', body].join('\r\n'));
}
