// Makes and deletes entries, so it runs in a network namespace of its own:
// THROUGHWAY_NETNS=1 unshare -Urnm --kill-child vitest run src/linux
import { deepStrictEqual, ok, strictEqual } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, type Socket, connect, createServer } from 'node:net';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { type ConntrackEntry, hasStatus } from '../core/wire/ctnetlink.ts';
import {
  deleteConntrack,
  deleteExpectations,
  flushMatching,
  listConntrack,
  listExpectations,
  readConntrackStats,
} from './conntrack.ts';

const FLOWS = 1_000;
const FIRST_PORT = 20_000;

const nft = (ruleset: string): void => {
  execFileSync('nft', ['-f', '-'], { input: ruleset });
};

/** One datagram to each of `FLOWS` ports of `to`, where nobody listens. */
async function sendFlows(to: string): Promise<void> {
  const socket = createSocket(to.includes(':') ? 'udp6' : 'udp4');
  for (let port = FIRST_PORT; port < FIRST_PORT + FLOWS; port += 1) {
    await new Promise<void>((resolve, reject) => {
      socket.send('x', port, to, (error) => (error ? reject(error) : resolve()));
    });
  }
  socket.close();
}

const isTo =
  (address: string) =>
  ({ original }: ConntrackEntry): boolean =>
    original.destination === address;

describe.skipIf(!process.env['THROUGHWAY_NETNS'])('conntrack', () => {
  beforeAll(() => {
    execFileSync('ip', ['link', 'set', 'lo', 'up']);
    execFileSync('ip', ['address', 'replace', '198.51.100.1/32', 'dev', 'lo']);
    nft(`table inet conntrack_test {
      chain out {
        type filter hook output priority filter; policy accept;
        ct state new accept
      }
      chain nat {
        type nat hook postrouting priority srcnat; policy accept;
        ip daddr 127.8.0.2 snat to 198.51.100.1
      }
    }`);
  });
  afterAll(() => nft('delete table inet conntrack_test'));

  it('lists what passed, filtered by the kernel where asked', async () => {
    await sendFlows('127.8.0.2');
    await sendFlows('::1');
    const ours = (await listConntrack({ protocol: 17 })).filter(isTo('127.8.0.2'));
    strictEqual(ours.length, FLOWS);
    const [one] = ours.filter(({ original }) => original.destinationPort === FIRST_PORT);
    strictEqual(one!.original.source, '127.0.0.1');
    strictEqual(one!.reply.destination, '198.51.100.1');
    ok(hasStatus(one!, 'sourceNat') && !hasStatus(one!, 'seenReply'));
    ok(one!.timeoutSeconds! > 0);

    const single = await listConntrack({ protocol: 17, destinationPort: FIRST_PORT + 1 });
    deepStrictEqual(single.map(({ original }) => original.destination).sort(), ['127.8.0.2', '::1']);
    ok((await listConntrack({ family: 6 })).every(({ original }) => original.family === 6));
    deepStrictEqual(await listConntrack({ protocol: 132 }), []);
    ok((await readConntrackStats()).entries >= 2 * FLOWS);
  });

  it('deletes exactly what it is given, and counts what was still there', async () => {
    const all = (await listConntrack()).filter(isTo('127.8.0.2'));
    const [some, rest] = [all.slice(0, 300), all.slice(300)];
    strictEqual(await deleteConntrack(some), 300);
    strictEqual(await deleteConntrack([...some, ...rest.slice(0, 1)]), 1);
    strictEqual((await listConntrack()).filter(isTo('127.8.0.2')).length, FLOWS - 301);
    strictEqual(await deleteConntrack([]), 0);
  });

  it('spares a new entry with the tuple of an old one', async () => {
    const [old] = (await listConntrack()).filter(isTo('127.8.0.2'));
    strictEqual(await deleteConntrack([{ ...old!, id: old!.id ^ 1 }]), 0);
    strictEqual(await deleteConntrack([old!]), 1);
  });

  it('deletes by a predicate, of both families', async () => {
    ok((await flushMatching(isTo('127.8.0.2'))) > 0);
    strictEqual(await flushMatching(isTo('::1')), FLOWS);
    const left = await listConntrack();
    ok(!left.some(isTo('127.8.0.2')) && !left.some(isTo('::1')));
  });

  it('lists and deletes what the pptp helper expects', async ({ skip }) => {
    try {
      nft(`add ct helper inet conntrack_test pptp { type "pptp" protocol tcp; }
        add rule inet conntrack_test out ip daddr 127.8.0.3 tcp dport 1723 ct helper set "pptp"
        insert rule inet conntrack_test out ip daddr 127.8.0.3 tcp dport 1723 ct helper set "pptp"`);
    } catch {
      skip('this kernel has no pptp helper');
    }
    const close = await dialPptp('127.8.0.3');
    const expected = (await listExpectations()).filter(({ helper }) => helper === 'pptp');
    strictEqual(expected.length, 2);
    ok(expected.every(({ tuple }) => tuple.protocol === 47));
    deepStrictEqual(
      expected.map(({ tuple }) => tuple.destinationPort!).sort((a, b) => a - b),
      [0x4000, 0x7777],
    );
    strictEqual(await deleteExpectations(expected), 2);
    strictEqual(await deleteExpectations(expected), 0);
    deepStrictEqual(await listExpectations(), []);
    close();
  });
});

/** A PPTP control message (RFC 2637 2): the fields that the kernel's helper reads, at their places. */
function control(type: number, length: number, fields: [at: number, value: number][]): Buffer {
  const message = Buffer.alloc(length);
  message.writeUInt16BE(length, 0);
  message.writeUInt16BE(1, 2);
  message.writeUInt32BE(0x1a2b3c4d, 4);
  message.writeUInt16BE(type, 8);
  for (const [at, value] of fields) message.writeUInt16BE(value, at);
  return message;
}

/** Sets up a call between two ends here: Call ID 0x4000 at the client, 0x7777 at the server. */
async function dialPptp(address: string): Promise<() => void> {
  const server = createServer();
  server.listen(1723, address);
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, address);
  const [accepted] = (await once(server, 'connection')) as [Socket];
  const exchange = async (from: Socket, to: Socket, message: Buffer): Promise<void> => {
    from.write(message);
    await once(to, 'data');
  };
  await exchange(client, accepted, control(1, 156, [[12, 0x100]]));
  // Start-Control-Connection-Reply and Outgoing-Call-Reply: result code 1 is the high byte.
  await exchange(
    accepted,
    client,
    control(2, 156, [
      [12, 0x100],
      [14, 0x100],
    ]),
  );
  await exchange(
    client,
    accepted,
    control(7, 168, [
      [12, 0x4000],
      [14, 1],
    ]),
  );
  await exchange(
    accepted,
    client,
    control(8, 32, [
      [12, 0x7777],
      [14, 0x4000],
      [16, 0x100],
    ]),
  );
  return () => {
    client.destroy();
    accepted.destroy();
    server.close();
  };
}
