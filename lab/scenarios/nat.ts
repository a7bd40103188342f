// What RFC 4787, 5382 and 5508 ask of a NAT, and hairpinning (cases N1 and N2).
import { emitIcmp, icmpTypes, parseIcmp } from '../../src/core/wire/icmp.ts';
import { ipProtocols, parseIpv4Packet } from '../../src/core/wire/ipv4.ts';
import { parseUdp } from '../../src/core/wire/udp.ts';
import { listConntrack } from '../../src/linux/conntrack.ts';
import { UdpPeer } from '../peers/udp.ts';
import { scenario, type Scenario } from '../scenario.ts';
import { connectTcp, listenTcp, RawSocket } from '../sockets.ts';
import { claim, claimEqual, until } from '../wait.ts';

export const natScenarios: readonly Scenario[] = [
  scenario('N1', 'UDP mapping, filtering and timeouts as RFC 4787 asks', async (household) => {
    const { devices, servers, ledger, wan } = household;
    const [one, two] = [new UdpPeer(household, devices[0]!, 5060), new UdpPeer(household, devices[1]!, 5060)];
    const [first, second] = [
      new UdpPeer(household, servers[0]!, 7000),
      new UdpPeer(household, servers[1]!, 7000),
    ];
    one.send(servers[0]!.address, 7000, servers[0]!);
    one.send(servers[1]!.address, 7000, servers[1]!);
    await ledger.settle();
    // REQ-1: one mapping for all destinations; REQ-3: the port is kept where it is free.
    claimEqual(
      [first.received[0]!.sourcePort, second.received[0]!.sourcePort],
      [5060, 5060],
      'the mapped ports at two servers',
    );
    claimEqual(first.received[0]!.source, wan, 'the mapped address');
    two.send(servers[0]!.address, 7000, servers[0]!);
    await ledger.settle();
    const moved = first.received[1]!.sourcePort;
    claim(moved !== 5060, 'the second device with the same port has a mapping of its own');
    first.send(wan, 5060, devices[0]!);
    first.send(wan, moved, devices[1]!);
    // REQ-8: address and port dependent filtering; nobody else may use the mapping.
    const stranger = new UdpPeer(household, servers[1]!, 7001);
    stranger.send(wan, 5060, null);
    second.send(wan, 5060, devices[0]!);
    await ledger.settle();
    const entries = (
      await household.gateway.inside(() => listConntrack({ protocol: ipProtocols.udp }))
    ).filter((entry) => entry.original.destinationPort === 7000);
    // REQ-5: never less than two minutes. (The kernel's longer timeout begins two seconds later.)
    const seconds = entries.map((entry) => entry.timeoutSeconds ?? 0);
    claim(
      entries.length === 3 && seconds.every((one) => one >= 118),
      `answered flows live for two minutes at least: ${seconds.join(', ')}`,
    );
  }),

  scenario(
    'N1b',
    'an unwanted SYN gets no answer, ICMP errors and pings find their device (RFC 5382, RFC 5508)',
    async (household) => {
      const { devices, device, server, ledger, wan } = household;
      const errors: Uint8Array[] = [];
      const others: Uint8Array[] = [];
      const sockets = [
        new RawSocket(device, ipProtocols.icmp, (packet) => errors.push(packet)),
        new RawSocket(devices[1]!, ipProtocols.icmp, (packet) => others.push(packet)),
      ];
      household.onClose(() => sockets.forEach((socket) => socket.close()));
      // A closed port: the server's kernel answers with port unreachable, which quotes the translated packet.
      const client = new UdpPeer(household, device, 6001);
      client.sendBytes(server.address, 9, ledger.tag('UDP to a closed port', server.name));
      const answer = await until('the ICMP error', () => errors[0]);
      const error = parseIcmp(parseIpv4Packet(answer).payload);
      claim(
        error.kind === 'error' && error.type === icmpTypes.destinationUnreachable,
        'the error is "destination unreachable"',
      );
      const quoted = parseIpv4Packet(error.quoted);
      claimEqual(
        [quoted.source, parseUdp(quoted.payload).sourcePort],
        [device.address, 6001],
        'the quoted source, translated back',
      );
      // RFC 5508 REQ-1: a query by its identifier.
      const echo = emitIcmp({
        kind: 'echo',
        type: icmpTypes.echoRequest,
        code: 0,
        identifier: 77,
        sequence: 1,
        payload: new Uint8Array(8),
      });
      sockets[0]!.send(server.address, echo);
      await until('the echo reply', () =>
        errors.find((packet) => parseIpv4Packet(packet).payload[0] === icmpTypes.echoReply),
      );
      claimEqual(others.length, 0, 'ICMP packets at the other device');
      // RFC 5382 REQ-4: neither a reset nor an ICMP error for six seconds; ours gives none at all.
      const before = (await household.daemon.status()).drops.find(
        (drop) => drop.name === 'wan_input',
      )!.packets;
      let outcome = 'open';
      connectTcp(server, wan, 4444).then(
        (socket) => {
          outcome = 'connected';
          socket.destroy();
        },
        (refusal: Error) => {
          outcome = refusal.message;
        },
      );
      await until(
        'the SYN to be dropped',
        async () =>
          (await household.daemon.status()).drops.find((drop) => drop.name === 'wan_input')!.packets > before,
      );
      const sentinel = new UdpPeer(household, server, 9000);
      client.send(server.address, 9000, server);
      await ledger.settle();
      sentinel.send(wan, 6001, device);
      await ledger.settle();
      claimEqual(outcome, 'open', 'the outcome of the SYN');
    },
  ),

  scenario(
    'N2',
    'hairpin: a device reaches another one by its mapping on the WAN address',
    async (household) => {
      const { devices, server, ledger, wan } = household;
      const [one, two] = [
        new UdpPeer(household, devices[0]!, 51_820),
        new UdpPeer(household, devices[1]!, 51_821),
      ];
      const far = new UdpPeer(household, server, 3478);
      for (const peer of [one, two]) peer.send(server.address, 3478, server);
      await ledger.settle();
      const [mappedOne, mappedTwo] = far.received.map((datagram) => datagram.sourcePort);
      two.send(wan, mappedOne!, devices[0]!);
      await ledger.settle();
      // RFC 4787 REQ-9a: the source is the other device's mapping, not its private address.
      claimEqual(
        [one.received[0]!.source, one.received[0]!.sourcePort],
        [wan, mappedTwo],
        'the source seen by the called device',
      );
      one.send(wan, mappedTwo!, devices[1]!);
      await ledger.settle();
      claimEqual(
        [two.received[0]!.source, two.received[0]!.sourcePort],
        [wan, mappedOne],
        'the source of the answer',
      );
      // TCP: device1 listens on the port from which it also called the server, as peers that punch holes do.
      const servers = [listenTcp(server, 8000, (socket) => socket.resume())];
      const calling = await connectTcp(devices[0]!, server.address, 8000, 40_000);
      servers.push(listenTcp(devices[0]!, 40_000, (socket) => socket.end('device1')));
      const caller = await connectTcp(devices[1]!, wan, 40_000);
      household.onClose(() => {
        for (const socket of [calling, caller]) socket.destroy();
        for (const one of servers) one.close();
      });
      let heard = '';
      caller.on('data', (chunk: Buffer) => {
        heard += chunk.toString();
      });
      await until('device1 to answer over the WAN address', () => heard === 'device1');
    },
  ),
];
