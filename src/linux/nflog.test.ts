// Copies packets of its own, so it runs in a network namespace of its own:
// THROUGHWAY_NETNS=1 unshare -Urnm --kill-child vitest run src/linux
import { ok, rejects, strictEqual } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { afterAll, beforeAll, describe, it, vi } from 'vitest';
import type { NflogPacket } from '../core/wire/nflog.ts';
import { LinuxError } from './libc.ts';
import { openNflog } from './nflog.ts';

const GROUP = 4711;
const PORT = 20_500;

const nft = (ruleset: string): void => {
  execFileSync('nft', ['-f', '-'], { input: ruleset });
};

async function send(count: number): Promise<void> {
  const socket = createSocket('udp4');
  for (let index = 0; index < count; index += 1) {
    await new Promise<void>((resolve, reject) => {
      socket.send('x'.repeat(100), PORT, '127.0.0.1', (error) => (error ? reject(error) : resolve()));
    });
  }
  socket.close();
}

describe.skipIf(!process.env['THROUGHWAY_NETNS'])('openNflog', () => {
  beforeAll(() => {
    execFileSync('ip', ['link', 'set', 'lo', 'up']);
    nft(`table inet nflog_test {
      chain in {
        type filter hook input priority filter; policy accept;
        udp dport ${PORT} log prefix "told" group ${GROUP} snaplen 64
      }
    }`);
  });
  afterAll(() => nft('delete table inet nflog_test'));

  it('hands on every copy, cut where the rule says', async () => {
    const seen: NflogPacket[] = [];
    let missed = 0;
    const reader = await openNflog({
      group: GROUP,
      onPacket: (packet) => seen.push(packet),
      onMissed: (copies) => (missed += copies),
    });
    await send(500);
    await vi.waitFor(() => strictEqual(seen.length, 500));
    reader.close();
    strictEqual(missed, 0);
    ok(seen.every(({ prefix, payload }) => prefix === 'told' && payload.length === 64));
    strictEqual(new Set(seen.map(({ sequence }) => sequence)).size, 500);
  });

  it('counts the copies that did not fit, and goes on', async () => {
    let seen = 0;
    let missed = 0;
    const reader = await openNflog({
      group: GROUP,
      receiveBufferBytes: 4096,
      onPacket: () => (seen += 1),
      onMissed: (copies) => (missed += copies),
    });
    // Sent while this thread waits and reads nothing; the shell's redirection is a datagram each.
    const flood = `for i in $(seq 2000); do echo > /dev/udp/127.0.0.1/${PORT}; done`;
    execFileSync('bash', ['-c', flood]);
    await vi.waitFor(() => ok(seen > 0));
    await send(1);
    await vi.waitFor(() => strictEqual(seen + missed, 2001));
    ok(missed > 0);
    reader.close();
  });

  it('says when another program has the group', async () => {
    const options = { group: GROUP, onPacket: () => undefined, onMissed: () => undefined };
    const first = await openNflog(options);
    await rejects(openNflog(options), (error) => error instanceof LinuxError && error.errno === 'EPERM');
    first.close();
    (await openNflog(options)).close();
  });
});
