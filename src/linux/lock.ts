// One daemon for each network namespace: an abstract unix socket is a name that belongs to the
// namespace and vanishes with the process that holds it, also after kill -9. unix(7).
import { createServer } from 'node:net';

/** Resolves to a function that lets go, or to null when another process of this namespace holds the name. */
export function takeLock(name: string): Promise<(() => void) | null> {
  const server = createServer((socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(null);
      else reject(error);
    });
    server.listen(`\0${name}`, () => {
      server.unref();
      resolve(() => {
        server.close();
      });
    });
  });
}
