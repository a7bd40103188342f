// `throughway probe`: what a server speaks is named, what it does not is told apart, and nothing a hostile
// server does keeps the gateway busy or disturbs what passes through it.
import { emitGre, parseGre } from '../../src/core/wire/gre.ts';
import { ipProtocols, parseIpv4Packet } from '../../src/core/wire/ipv4.ts';
import { emitIsakmp, exchangeTypes, parseIsakmp, payloadTypesV2 } from '../../src/core/wire/isakmp.ts';
import { emitNotify, notifyTypes } from '../../src/core/wire/isakmp-payloads.ts';
import {
  emitOpenvpn,
  emitOpenvpnControlBody,
  openvpnOpcodes,
  parseOpenvpn,
} from '../../src/core/wire/openvpn.ts';
import type { ProbeReport } from '../../src/daemon/api/probe.ts';
import { L2tpServer } from '../peers/l2tp.ts';
import { PptpServer } from '../peers/pptp.ts';
import { UdpPeer } from '../peers/udp.ts';
import { scenario, type Scenario } from '../scenario.ts';
import { listenTcp, RawSocket, UdpSocket } from '../sockets.ts';
import type { Host, Household } from '../topologies/household.ts';
import { claim, claimEqual } from '../wait.ts';

async function probe({ daemon }: Household, host: string): Promise<{ report: ProbeReport; status: number }> {
  const { stdout, stderr, status } = await daemon.command('probe', host, '--json');
  claim(stdout.startsWith('{'), `probe ${host} prints JSON: ${stdout}${stderr}`);
  return { report: JSON.parse(stdout) as ProbeReport, status };
}

function verdicts(report: ProbeReport): Record<string, string> {
  return Object.fromEntries(report.results.map(({ id, verdict }) => [id, verdict]));
}

/** Answers IKE_SA_INIT as a server behind a NAT's far side does. */
function answerIke(household: Household, host: Host): void {
  const socket = new UdpSocket(host, 500, ({ source, sourcePort, payload }) => {
    const { header } = parseIsakmp(payload);
    if (header.majorVersion !== 2) return;
    const notify = (type: number): Uint8Array =>
      emitNotify({ doi: null, protocolId: 0, type, spi: new Uint8Array(), data: new Uint8Array(20) });
    const answer = emitIsakmp({
      header: {
        ...header,
        responderSpi: 0x77n,
        exchangeType: exchangeTypes.ikeSaInit,
        flags: { response: true },
      },
      payloads: [notifyTypes.natDetectionSourceIp, notifyTypes.natDetectionDestinationIp].map((type) => ({
        type: payloadTypesV2.notify,
        critical: false,
        body: notify(type),
      })),
      encrypted: null,
    });
    socket.send(source, sourcePort, answer);
  });
  household.onClose(() => socket.close());
}

function answerOpenvpn(household: Household, host: Host): void {
  const socket = new UdpSocket(host, 1194, ({ source, sourcePort, payload }) => {
    const packet = parseOpenvpn(payload);
    if (packet.kind !== 'control') return;
    const { keyId, sessionId } = packet;
    const reply = {
      kind: 'control',
      opcode: openvpnOpcodes.hardResetServerV2,
      keyId,
      sessionId: 0x5e44_e400n,
      body: emitOpenvpnControlBody({
        acks: [0],
        remoteSessionId: sessionId,
        packetId: 0,
        payload: new Uint8Array(),
      }),
    } as const;
    socket.send(source, sourcePort, emitOpenvpn(reply));
  });
  household.onClose(() => socket.close());
}

/** Answers data of the latest call with data of its own, as PPP does. */
function answerGre(household: Household, pptp: PptpServer): void {
  const socket = new RawSocket(pptp.host, ipProtocols.gre, (bytes) => {
    const { source, payload } = parseIpv4Packet(bytes);
    const call = pptp.calls.at(-1);
    const packet = parseGre(payload);
    if (packet.version !== 1 || call?.callId !== packet.callId) return;
    const { sequence, payload: data } = packet;
    socket.send(
      source,
      emitGre({ version: 1, callId: call.peerCallId, sequence, acknowledgment: null, payload: data }),
    );
  });
  household.onClose(() => socket.close());
}

export const probeScenarios: readonly Scenario[] = [
  scenario('D1', 'probe: what a server speaks is named, and what it does not', async (household) => {
    const { server, device, daemon, ledger } = household;
    answerGre(household, new PptpServer(household, server));
    new L2tpServer(household, server);
    answerIke(household, server);
    answerOpenvpn(household, server);
    const far = new UdpPeer(household, server, 4501);
    const near = new UdpPeer(household, device, 4501);
    near.send(server.address, 4501, server);
    await ledger.settle();
    const { report, status } = await probe(household, server.address);
    const found = verdicts(report);
    for (const id of ['ikev2', 'l2tp', 'pptp', 'openvpn-udp'])
      claimEqual(found[id], 'answered', `${id} in ${JSON.stringify(report)}`);
    for (const id of ['ikev2-4500', 'openvpn-tcp', 'wireguard', 'sstp', 'softether', 'anyconnect'])
      claimEqual(found[id], 'closed', id);
    claimEqual(found['ikev1'], 'silent', 'a server that speaks IKEv2 only');
    const pptp = report.results.find(({ id }) => id === 'pptp')!;
    claim(pptp.detail.includes('(GRE) comes back'), `data of PPTP was tried: "${pptp.detail}"`);
    claim(
      report.conclusion.includes('IPSec Passthrough') && report.conclusion.includes('PPTP Passthrough'),
      `the conclusion names what is needed: "${report.conclusion}"`,
    );
    claimEqual(status, 0, 'the exit status where something answered');
    claim(report.took_ms < 15_000, `it ends within 15 seconds, and took ${report.took_ms} ms`);
    const { stdout } = await daemon.command('probe', server.address);
    claim(
      /^answered +PPTP \(tcp 1723\): .*\n +Devices need PPTP Passthrough/m.test(stdout) &&
        stdout.endsWith(`${report.conclusion}\n`),
      `it is said in words too: ${stdout}`,
    );
    // The connection that passed before passes still.
    far.send(household.wan, far.received[0]!.sourcePort, device);
    await ledger.settle();
  }),

  scenario(
    'D2',
    'probe: a silent host ends within 15 seconds, and silence is explained',
    async (household) => {
      household.server.namespace.run('nft', [
        'add table ip quiet; add chain ip quiet in { type filter hook input priority 0; policy drop; }; add chain ip quiet out { type filter hook output priority 0; policy drop; }',
      ]);
      const { report, status } = await probe(household, household.server.address);
      claimEqual(status, 1, 'the exit status where nothing answered');
      for (const result of report.results) claimEqual(result.verdict, 'silent', result.id);
      claim(report.took_ms < 15_000, `it ends within 15 seconds, and took ${report.took_ms} ms`);
      const wireguard = report.results.find(({ id }) => id === 'wireguard')!;
      claim(wireguard.meaning.includes('silence is not an answer'), `of WireGuard: "${wireguard.meaning}"`);
      claim(
        report.results.some(({ id }) => id === 'ikev2-source-500'),
        'IKE was tried from source port 500 too',
      );
    },
  ),

  scenario(
    'D3',
    'probe: hostile servers end in bounded time, wrong names reach nothing',
    async (household) => {
      const { server, daemon } = household;
      // Endless, dripping, and mute.
      const endless = listenTcp(server, 1723, (socket) => {
        socket.on('error', () => undefined);
        const pour = (): void => {
          while (!socket.destroyed && socket.write(Buffer.alloc(16_384, 0x41)));
        };
        socket.on('drain', pour);
        pour();
      });
      const dripping = listenTcp(server, 1194, (socket) => {
        socket.on('error', () => undefined);
        const timer = setInterval(() => socket.write(Buffer.of(0)), 50);
        socket.on('close', () => clearInterval(timer));
      });
      const mute = listenTcp(server, 443, (socket) => {
        socket.on('error', () => undefined);
      });
      const noise = new UdpSocket(server, 500, ({ source, sourcePort }) => {
        for (let length = 0; length < 60; length += 1)
          noise.send(
            source,
            sourcePort,
            Uint8Array.from({ length }, (_, index) => (index * 89 + length) & 0xff),
          );
      });
      for (const one of [endless, dripping, mute, noise]) household.onClose(() => void one.close());
      const before = Number(
        /VmRSS:\s+(\d+)/.exec(household.gateway.run('cat', [`/proc/${daemon.pid}/status`]))![1],
      );
      const { report } = await probe(household, server.address);
      const after = Number(
        /VmRSS:\s+(\d+)/.exec(household.gateway.run('cat', [`/proc/${daemon.pid}/status`]))![1],
      );
      const found = verdicts(report);
      for (const id of ['pptp', 'openvpn-tcp', 'ikev2'])
        claim(found[id] === 'other' || found[id] === 'silent', `${id}: ${found[id]}`);
      claim(report.took_ms < 15_000, `it ends within 15 seconds, and took ${report.took_ms} ms`);
      claim(after - before < 40_000, `memory stays bounded: ${before} kB before, ${after} kB after`);
      for (const wrong of [
        '$(reboot)',
        'a b',
        '../../etc/passwd',
        '203.0.113.0/24',
        'vpn.example.org:443',
        '-x',
        '1.2.3',
      ]) {
        const { status, stderr } = await daemon.command('probe', '--', wrong);
        claim(status !== 0 && stderr.includes('"'), `"${wrong}" is refused with a sentence: ${stderr}`);
      }
      const unknown = await daemon.command('probe', 'no-such-name.invalid');
      claim(
        unknown.status === 1 && unknown.stderr.includes('"no-such-name.invalid"'),
        `an unknown name: ${unknown.stderr}`,
      );
    },
  ),
];
