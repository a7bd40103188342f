// The C library by FFI (koffi): the few system calls that Node does not offer, each as a function
// that throws LinuxError with the errno's name. Knows sockets and namespaces as descriptors only;
// what is sent over them is decided elsewhere.
import koffi from 'koffi';
import { ipv4Bytes, type Ipv4Address } from '../core/address.ts';

/** The kernel or the system said no. `attempted` is what we asked for, in words or as sent. */
export class LinuxError extends Error {
  readonly op: string;
  readonly errno: string;
  readonly attempted: string;

  constructor(op: string, errno: string, attempted: string, detail = '') {
    super(`${op} failed with ${errno}${detail ? `: ${detail}` : ''} (attempted: ${attempted})`);
    this.name = 'LinuxError';
    this.op = op;
    this.errno = errno;
    this.attempted = attempted;
  }
}

const libc = koffi.load('libc.so.6');
const call = {
  socket: libc.func('int socket(int domain, int type, int protocol)'),
  bind: libc.func('int bind(int fd, const void *address, unsigned int length)'),
  connect: libc.func('int connect(int fd, const void *address, unsigned int length)'),
  listen: libc.func('int listen(int fd, int backlog)'),
  sendto: libc.func(
    'long sendto(int fd, const void *data, size_t length, int flags, const void *address, unsigned int addressLength)',
  ),
  recvfrom: libc.func(
    'long recvfrom(int fd, _Out_ void *data, size_t length, int flags, _Out_ void *address, _Inout_ unsigned int *addressLength)',
  ),
  setsockopt: libc.func(
    'int setsockopt(int fd, int level, int name, const void *value, unsigned int length)',
  ),
  getsockopt: libc.func(
    'int getsockopt(int fd, int level, int name, _Out_ void *value, _Inout_ unsigned int *length)',
  ),
  getsockname: libc.func('int getsockname(int fd, _Out_ void *address, _Inout_ unsigned int *length)'),
  setns: libc.func('int setns(int fd, int type)'),
  close: libc.func('int close(int fd)'),
  mallocTrim: libc.func('int malloc_trim(size_t pad)'),
};

export const AF_INET = 2;
export const AF_INET6 = 10;
export const AF_NETLINK = 16;
export const AF_PACKET = 17;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
export const SOL_SOCKET = 1;
const CLONE_NEWNET = 0x40000000;

const errnoNames = new Map(Object.entries(koffi.os.errno).map(([name, value]) => [value, name]));

/** `EPERM` and the like; the number itself when it has no name. */
export function errnoName(errno: number): string {
  return errnoNames.get(errno) ?? `errno ${errno}`;
}

function fail(op: string, attempted: string): never {
  throw new LinuxError(op, errnoName(koffi.errno()), attempted);
}

/** sockaddr_in; an address of null is any. */
export function inetAddress(address: Ipv4Address | null, port: number): Uint8Array {
  const bytes = new Uint8Array(16);
  new DataView(bytes.buffer).setUint16(0, AF_INET, true);
  bytes[2] = port >> 8;
  bytes[3] = port & 0xff;
  if (address !== null) bytes.set(ipv4Bytes(address), 4);
  return bytes;
}

/** A descriptor, close-on-exec and non-blocking; the caller closes it. */
export function openSocket(domain: number, type: number, protocol: number): number {
  const fd: number = call.socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
  return fd < 0 ? fail('socket', `domain ${domain}, type ${type}, protocol ${protocol}`) : fd;
}

/** `address` is a whole sockaddr in its C layout. */
export function bindSocket(fd: number, address: Uint8Array, attempted: string): void {
  if (call.bind(fd, address, address.length) < 0) fail('bind', attempted);
}

/** Begins to connect; a stream socket is connected once it becomes writable. */
export function connectSocket(fd: number, address: Uint8Array, attempted: string): void {
  if (call.connect(fd, address, address.length) < 0 && koffi.errno() !== koffi.os.errno['EINPROGRESS']) {
    fail('connect', attempted);
  }
}

export function listenSocket(fd: number, backlog: number): void {
  if (call.listen(fd, backlog) < 0) fail('listen', `backlog ${backlog}`);
}

/** Sends one datagram; `address` null for a connected socket. Returns false when the socket's buffer is full. */
export function sendTo(fd: number, data: Uint8Array, address: Uint8Array | null, attempted: string): boolean {
  const sent: number = call.sendto(fd, data, data.length, 0, address, address?.length ?? 0);
  if (sent >= 0) return true;
  const { EAGAIN, ENOBUFS } = koffi.os.errno;
  if (koffi.errno() === EAGAIN || koffi.errno() === ENOBUFS) return false;
  return fail('sendto', attempted);
}

/** Receives one datagram into `buffer` and returns its length, or null when nothing is waiting. */
export function receiveInto(
  fd: number,
  buffer: Uint8Array,
  address: Uint8Array | null = null,
): number | null {
  const length: [number] = [address?.length ?? 0];
  const received: number = call.recvfrom(fd, buffer, buffer.length, 0, address, address ? length : null);
  if (received >= 0) return received;
  if (koffi.errno() === koffi.os.errno['EAGAIN']) return null;
  return fail('recvfrom', `descriptor ${fd}`);
}

/** `value` in the option's C layout. */
export function setSocketOption(fd: number, level: number, name: number, value: Uint8Array): void {
  if (call.setsockopt(fd, level, name, value, value.length) < 0)
    fail('setsockopt', `level ${level}, option ${name}`);
}

export function setSocketInt(fd: number, level: number, name: number, value: number): void {
  setSocketOption(fd, level, name, new Uint8Array(new Int32Array([value]).buffer));
}

export function getSocketInt(fd: number, level: number, name: number): number {
  const value = new Int32Array(1);
  if (call.getsockopt(fd, level, name, value, [4]) < 0) fail('getsockopt', `level ${level}, option ${name}`);
  return value[0]!;
}

/** The sockaddr that the socket is bound to, in its C layout, at most `length` bytes. */
export function socketName(fd: number, length: number): Uint8Array {
  const address = new Uint8Array(length);
  const used: [number] = [length];
  if (call.getsockname(fd, address, used) < 0) fail('getsockname', `descriptor ${fd}`);
  return address.subarray(0, used[0]);
}

export function closeDescriptor(fd: number): void {
  if (call.close(fd) < 0) fail('close', `descriptor ${fd}`);
}

/** Gives what the C library's allocator holds and nobody uses back to the system (malloc_trim(3)). */
export function trimAllocator(): void {
  call.mallocTrim(0);
}

/** Moves the calling thread into the network namespace behind `fd` (setns(2)). */
export function enterNetworkNamespace(fd: number): void {
  if (call.setns(fd, CLONE_NEWNET) < 0) fail('setns', `descriptor ${fd}`);
}

// The handles must stay reachable: a collected one stops its events without a word.
const watched = new Set<ReturnType<typeof koffi.node.poll>>();

/** Calls `onReadable` whenever `fd` has something to read, until the returned function is called. */
export function watchReadable(fd: number, onReadable: () => void): () => void {
  // koffi calls back with (status, events), other than its types say, and swallows exceptions.
  const deliver = (status: unknown): void => {
    try {
      onReadable();
    } catch (error) {
      setImmediate(() => {
        throw error;
      });
    }
    // A socket error (a netlink overrun is one) stops the handle; the error itself is now read.
    if (typeof status === 'number' && status < 0 && watched.has(handle)) {
      handle.start({ readable: true }, deliver);
    }
  };
  const handle = koffi.node.poll(fd, { readable: true }, deliver);
  watched.add(handle);
  return () => {
    if (watched.delete(handle)) handle.close();
  };
}

/** Calls `onWritable` once, when `fd` can be written: for a connecting socket, when it is connected or refused. */
export function whenWritable(fd: number, onWritable: () => void): void {
  const handle = koffi.node.poll(fd, { writable: true }, () => {
    if (watched.delete(handle)) {
      handle.close();
      onWritable();
    }
  });
  watched.add(handle);
}
