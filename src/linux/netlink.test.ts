// Talks to the kernel, so it runs in a network namespace of its own:
// THROUGHWAY_NETNS=1 unshare -Urnm --kill-child vitest run src/linux
import { deepStrictEqual, ok, rejects, strictEqual, throws } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, it, vi } from 'vitest';
import { NLM_F_DUMP } from '../core/wire/netlink.ts';
import {
  RTM_GETLINK,
  RTM_NEWADDR,
  RTM_NEWLINK,
  RTNLGRP_LINK,
  emitLinkDump,
  parseLink,
} from '../core/wire/rtnetlink.ts';
import { LinuxError } from './libc.ts';
import { NETLINK_ROUTE, NetlinkSocket } from './netlink.ts';

const batch = (lines: string[]): void => {
  execFileSync('ip', ['-batch', '-'], { input: lines.join('\n') });
};
/** RTM_NEWADDR for 10.0.0.1 on link 1 with a prefix length that IPv4 does not have. */
const impossible = Uint8Array.of(2, 64, 0, 0, 1, 0, 0, 0, 8, 0, 2, 0, 10, 0, 0, 1);

describe.skipIf(!process.env['THROUGHWAY_NETNS'])('NetlinkSocket', () => {
  it('answers requests in the order asked, dumps and refusals alike', async () => {
    const socket = new NetlinkSocket(NETLINK_ROUTE);
    const [first, refused, second] = await Promise.allSettled([
      socket.request(RTM_GETLINK, NLM_F_DUMP, emitLinkDump()),
      socket.request(RTM_NEWADDR, 0, impossible),
      socket.request(RTM_GETLINK, NLM_F_DUMP, emitLinkDump()),
    ]);
    socket.close();
    ok(first.status === 'fulfilled' && second.status === 'fulfilled' && refused.status === 'rejected');
    ok(first.value.some(({ payload }) => parseLink(payload).name === 'lo'));
    deepStrictEqual(first.value.length, second.value.length);
    ok(refused.reason instanceof LinuxError);
    strictEqual(refused.reason.errno, 'EINVAL');
    ok(refused.reason.message.includes('Invalid prefix length'), refused.reason.message);
  });

  it('gives each of many requests its outcome', async () => {
    const socket = new NetlinkSocket(NETLINK_ROUTE);
    const refusal = { type: RTM_NEWADDR, flags: 0, payload: impossible };
    const outcomes = await socket.requestAll(Array.from({ length: 1_000 }, () => refusal));
    socket.close();
    strictEqual(outcomes.length, 1_000);
    ok(outcomes.every(({ errno }) => errno === 22));
  });

  it('says when messages were lost, and goes on hearing', async () => {
    const heard: string[] = [];
    let overruns = 0;
    const socket = new NetlinkSocket(NETLINK_ROUTE, {
      groups: [RTNLGRP_LINK],
      receiveBufferBytes: 4_096,
      onMessage: ({ type, payload }) => {
        if (type === RTM_NEWLINK) heard.push(parseLink(payload).name);
      },
      onOverrun: () => (overruns += 1),
    });
    // The event loop stands still meanwhile, so nothing is read.
    batch(Array.from({ length: 10 }, (_, index) => `link add overrun${index} type bridge`));
    await vi.waitFor(() => ok(overruns > 0));
    for (const name of ['after0', 'after1']) {
      batch([`link add ${name} type bridge`]);
      await vi.waitFor(() => ok(heard.includes(name)));
    }
    socket.close();
    batch(Array.from({ length: 10 }, (_, index) => `link del overrun${index}`));
    batch(['link del after0', 'link del after1']);
  });

  it('refuses what is asked after close, and a protocol that no kernel has', async () => {
    const socket = new NetlinkSocket(NETLINK_ROUTE);
    socket.close();
    socket.close();
    await rejects(
      socket.request(RTM_GETLINK, NLM_F_DUMP, emitLinkDump()),
      (error) => error instanceof LinuxError && error.errno === 'ECANCELED',
    );
    throws(
      () => new NetlinkSocket(31),
      (error) => error instanceof LinuxError && error.errno === 'EPROTONOSUPPORT',
    );
  });
});
