// Sends packets in the name of one host at a steady rate, faster than one system call a packet would:
// many with one sendmmsg(2), from a process of its own, so that whoever measures is not in the way. The
// packets are whole IPv4 packets, sent in turn; the kernel writes their identification and checksum. A number
// in them may count up, so that no two are the same.
import { readFileSync, writeFileSync } from 'node:fs';
import { execFile } from 'node:child_process';
import koffi from 'koffi';
import type { Namespace } from '../lab/namespaces.ts';
import { parseIpv4 } from '../src/core/address.ts';
import {
  AF_INET,
  connectSocket,
  errnoName,
  inetAddress,
  LinuxError,
  openSocket,
  setSocketInt,
  SOCK_RAW,
  SOL_SOCKET,
} from '../src/linux/libc.ts';

export interface Blast {
  /** Whole packets, all to this address. */
  readonly packets: readonly Uint8Array[];
  readonly destination: string;
  readonly count: number;
  readonly perSecond: number;
  /** Where a 32-bit number counts the packets, or null. */
  readonly counterAt: number | null;
}

export interface Blasted {
  readonly seconds: number;
  /** How often the socket's own buffer was full, which only makes it slower. */
  readonly waits: number;
}

let blasts = 0;

/** Resolves when all have been handed to the kernel. */
export async function blast(from: Namespace, { packets, ...rest }: Blast): Promise<Blasted> {
  blasts += 1;
  const path = `/run/blast-${blasts}.json`;
  const hex = packets.map((packet) => Buffer.from(packet).toString('hex'));
  writeFileSync(path, JSON.stringify({ ...rest, packets: hex }));
  const command = ['netns', 'exec', from.name, process.execPath, '--disable-warning=ExperimentalWarning'];
  return new Promise((resolve, reject) => {
    execFile('ip', [...command, import.meta.filename, path], (error, stdout, stderr) => {
      if (error) reject(new Error(`packets cannot be sent: ${stderr}`));
      else resolve(JSON.parse(stdout) as Blasted);
    });
  });
}

// linux/in.h, asm-generic/socket.h
const IPPROTO_IP = 0;
const IPPROTO_RAW = 255;
const IP_HDRINCL = 3;
const SO_SNDBUFFORCE = 32;
/** One system call; the gateway has its turn between two. */
const AT_ONCE = 64;
/** struct mmsghdr and struct iovec of 64-bit systems. */
const HEADER_BYTES = 64;
const VECTOR_BYTES = 16;

/** The messages of one system call each, over the same packets again and again. */
class Batches {
  readonly #packets: readonly Buffer[];
  readonly #headers = Buffer.alloc(AT_ONCE * HEADER_BYTES);
  readonly #vectors = Buffer.alloc(AT_ONCE * VECTOR_BYTES);
  readonly #addresses: readonly bigint[];
  #next = 0;

  constructor(packets: readonly Buffer[]) {
    this.#packets = packets;
    this.#addresses = packets.map((packet) => koffi.address(packet));
    const vectors = koffi.address(this.#vectors);
    for (let index = 0; index < AT_ONCE; index += 1) {
      const at = index * HEADER_BYTES;
      this.#headers.writeBigUInt64LE(vectors + BigInt(index * VECTOR_BYTES), at + 16);
      this.#headers.writeBigUInt64LE(1n, at + 24);
    }
  }

  /** The headers of the next `count` messages; a number counts up in each where wanted. */
  fill(count: number, counterAt: number | null, serial: number): Buffer {
    for (let index = 0; index < count; index += 1) {
      const which = (this.#next + index) % this.#packets.length;
      const packet = this.#packets[which]!;
      if (counterAt !== null) packet.writeUInt32BE((serial + index) >>> 0, counterAt);
      this.#vectors.writeBigUInt64LE(this.#addresses[which]!, index * VECTOR_BYTES);
      this.#vectors.writeBigUInt64LE(BigInt(packet.length), index * VECTOR_BYTES + 8);
    }
    return this.#headers;
  }

  sent(count: number): void {
    this.#next = (this.#next + count) % this.#packets.length;
  }
}

function send(path: string): Blasted {
  const read = JSON.parse(readFileSync(path, 'utf8')) as Omit<Blast, 'packets'> & { packets: string[] };
  const { count, perSecond, counterAt, destination } = read;
  // A message whose packet stands twice in a batch would carry the later number.
  const packets = read.packets.map((hex) => Buffer.from(hex, 'hex'));
  const copies = counterAt === null ? 0 : Math.max(0, AT_ONCE - packets.length);
  for (let copy = 0; copy < copies; copy += 1) packets.push(Buffer.from(packets[0]!));
  const batches = new Batches(packets);
  const sendmmsg = koffi
    .load('libc.so.6')
    .func('int sendmmsg(int fd, void *messages, unsigned int count, int flags)');
  const fd = openSocket(AF_INET, SOCK_RAW, IPPROTO_RAW);
  setSocketInt(fd, IPPROTO_IP, IP_HDRINCL, 1);
  setSocketInt(fd, SOL_SOCKET, SO_SNDBUFFORCE, 8 << 20);
  connectSocket(fd, inetAddress(parseIpv4(destination), 0), destination);
  const { EAGAIN, ENOBUFS } = koffi.os.errno;
  const pause = new Int32Array(new SharedArrayBuffer(4));
  let waits = 0;
  const began = performance.now();
  for (let sent = 0; sent < count;) {
    const due = Math.min(count, Math.floor(((performance.now() - began) / 1000) * perSecond));
    if (due <= sent) {
      Atomics.wait(pause, 0, 0, 0.2);
      continue;
    }
    const wanted = Math.min(AT_ONCE, due - sent);
    const done: number = sendmmsg(fd, batches.fill(wanted, counterAt, sent), wanted, 0);
    if (done > 0) {
      batches.sent(done);
      sent += done;
    } else if (koffi.errno() === EAGAIN || koffi.errno() === ENOBUFS) {
      waits += 1;
    } else {
      throw new LinuxError('sendmmsg', errnoName(koffi.errno()), `${wanted} packets to ${destination}`);
    }
  }
  return { seconds: (performance.now() - began) / 1000, waits };
}

if (import.meta.main) process.stdout.write(JSON.stringify(send(process.argv[2]!)));
