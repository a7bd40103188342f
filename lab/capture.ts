// What passed an interface, kept in memory and written as a pcap file when somebody needs to look
// (libpcap's classic format, link type Ethernet).
import { writeFileSync } from 'node:fs';

/** Floods are not worth keeping whole; the last packets tell what happened. */
const MOST_FRAMES = 4_000;
const MAGIC = 0xa1b2c3d4;
const LINKTYPE_ETHERNET = 1;

export class Capture {
  readonly #frames: { atMs: number; frame: Uint8Array }[] = [];

  add(frame: Uint8Array): void {
    if (this.#frames.length >= MOST_FRAMES) this.#frames.splice(0, MOST_FRAMES / 2);
    this.#frames.push({ atMs: Date.now(), frame });
  }

  write(path: string): void {
    const header = Buffer.alloc(24);
    header.writeUInt32LE(MAGIC, 0);
    header.writeUInt16LE(2, 4);
    header.writeUInt16LE(4, 6);
    header.writeUInt32LE(65_536, 16);
    header.writeUInt32LE(LINKTYPE_ETHERNET, 20);
    const parts: Uint8Array[] = [header];
    for (const { atMs, frame } of this.#frames) {
      const record = Buffer.alloc(16);
      record.writeUInt32LE(Math.floor(atMs / 1000), 0);
      record.writeUInt32LE((atMs % 1000) * 1000, 4);
      record.writeUInt32LE(frame.length, 8);
      record.writeUInt32LE(frame.length, 12);
      parts.push(record, frame);
    }
    writeFileSync(path, Buffer.concat(parts));
  }
}
