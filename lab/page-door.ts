// The gateway's page on this machine's own loopback: the listening socket is made outside, before the lab
// moves into its namespaces, and is handed in. A socket keeps the namespace in which it was made, so a
// browser outside reaches a page inside, and nothing else of the two networks meets.
import { createServer, type Server, type Socket } from 'node:net';
import type { Ipv4Address } from '../src/core/address.ts';
import type { Namespace } from './namespaces.ts';
import { connectTcp } from './sockets.ts';

const FIRST_PORT = 8080;
const LAST_PORT = 8099;
/** Tells the process inside which port its descriptor 3 listens on. */
export const DOOR_PORT = 'THROUGHWAY_LAB_DOOR';
const HANDED_FD = 3;

export interface Door {
  readonly port: number;
  /** To be handed to the process inside as its descriptor 3. */
  readonly fd: number;
}

/** The first free port from 8080 on; null when all are taken. */
export async function openDoor(): Promise<Door | null> {
  for (let port = FIRST_PORT; port <= LAST_PORT; port += 1) {
    const server = await listen(port);
    if (!server) continue;
    // There is no public way to a server's descriptor.
    const { fd } = (server as Server & { _handle: { fd: number } })._handle;
    return { port, fd };
  }
  return null;
}

function listen(port: number): Promise<Server | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(null));
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

/** Inside: hands what comes through the door to `port` of the gateway's own address. Returns its address outside, or null. */
export function serveDoor(
  gateway: Namespace,
  address: Ipv4Address,
  port: number,
): { address: string; close(): void } | null {
  const outside = process.env[DOOR_PORT];
  if (outside === undefined) return null;
  const server = createServer((visitor) => {
    connectTcp({ namespace: gateway, address }, address, port).then(
      (inside) => join(visitor, inside),
      () => visitor.destroy(),
    );
  });
  server.listen({ fd: HANDED_FD });
  return { address: `http://127.0.0.1:${outside}/`, close: () => server.close() };
}

function join(one: Socket, other: Socket): void {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.pipe(to);
    from.once('error', () => to.destroy());
    from.once('close', () => to.destroy());
  }
}
