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

/**
 * Tells the service manager twice within its patience that the event loop turns (sd_watchdog_enabled(3)),
 * until the returned function is called. Does nothing when the manager has not asked, or has asked another process.
 */
export function keepWatchdogCalm(
  environment: NodeJS.ProcessEnv = process.env,
  notify: (state: string) => void = notifyServiceManager,
): () => void {
  const microseconds = Number(environment['WATCHDOG_USEC']);
  const asked = environment['WATCHDOG_PID'];
  if (!(microseconds > 0) || (asked !== undefined && asked !== String(process.pid))) return () => undefined;
  const timer = setInterval(() => notify('WATCHDOG=1'), microseconds / 2_000);
  return () => clearInterval(timer);
}
