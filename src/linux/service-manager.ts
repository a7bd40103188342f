// sd_notify(3): tells the service manager how the daemon is doing, over the datagram socket that
// NOTIFY_SOCKET names. Without that variable nobody has asked, and nothing is sent.
import { closeDescriptor, openSocket, sendTo, SOCK_DGRAM } from './libc.ts';

const AF_UNIX = 1;

/** `state` is one of sd_notify's lines, such as `READY=1`. A manager that is gone is no failure of ours. */
export function notifyServiceManager(state: string, path = process.env['NOTIFY_SOCKET']): void {
  if (!path) return;
  const name = new TextEncoder().encode(path);
  // A leading @ stands for the abstract name space, whose names begin with a zero byte.
  if (path.startsWith('@')) name[0] = 0;
  const address = new Uint8Array(2 + name.length + (path.startsWith('@') ? 0 : 1));
  address[0] = AF_UNIX;
  address.set(name, 2);
  try {
    const fd = openSocket(AF_UNIX, SOCK_DGRAM, 0);
    try {
      sendTo(fd, new TextEncoder().encode(state), address, `notify ${path}`);
    } finally {
      closeDescriptor(fd);
    }
  } catch {
    // See above.
  }
}
