// `throughway probe` against servers that mean harm, on every TCP port that it tries: endless bytes, a byte now
// and then, silence, nonsense, and the protocol's own messages without end; inside TLS where the protocol is.
// Each ends in bounded time, memory stays bounded, and none of them is taken for a VPN server.
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { emitPptp } from '../../src/core/wire/pptp.ts';
import type { ProbeReport } from '../../src/daemon/api/probe.ts';
import { makeCertificate } from '../../src/daemon/tls/self-made.ts';
import { UdpPeer } from '../peers/udp.ts';
import type { Scenario } from '../scenario.ts';
import { listenTcp } from '../sockets.ts';
import type { Household } from '../topologies/household.ts';
import { claim } from '../wait.ts';

const PLAIN_PORTS = [1723, 1194];
const TLS_PORTS = [443, 992, 5555];
const TCP_IDS = ['pptp', 'openvpn-tcp', 'sstp', 'softether', 'softether-992', 'softether-5555', 'anyconnect'];
/** What the daemon may need for them at most, and give back later. */
const MOST_MORE_KB = 40_000;
const LIMIT_MS = 120_000;

type Behaviour = (socket: NodeJS.WritableStream & { destroyed: boolean }, port: number) => void;

function pour(chunk: (port: number) => Uint8Array): Behaviour {
  return (socket, port) => {
    const bytes = chunk(port);
    const more = (): void => {
      while (!socket.destroyed && socket.write(bytes));
    };
    socket.on('drain', more);
    more();
  };
}

function drip(text: string): Behaviour {
  return (socket) => {
    let at = 0;
    const timer = setInterval(() => {
      if (socket.destroyed) clearInterval(timer);
      else socket.write(text[at++ % text.length]!);
    }, 50);
    socket.on('close', () => clearInterval(timer));
  };
}

const ECHO = emitPptp({ kind: 'echo-request', identifier: 1 });
const HEADERS = Buffer.from(`HTTP/1.1 200 OK\r\n${'X-More: and more\r\n'.repeat(200)}`);

/** Messages that are in order and never the one that is waited for. */
const OWN_MESSAGES: Behaviour = pour((port) =>
  port === 1723
    ? Buffer.concat(Array.from({ length: 200 }, () => ECHO))
    : port === 1194
      ? // OpenVPN over TCP: packets of the greatest length, of an opcode that a client does not wait for.
        Buffer.concat([Buffer.of(0xff, 0xff, 0x28), Buffer.alloc(0xfffe)])
      : HEADERS,
);

const BEHAVIOURS: Readonly<Record<string, Behaviour>> = {
  'endless bytes': pour(() => Buffer.alloc(16_384, 0x41)),
  'a byte now and then': drip('HTTP/1.1 200 OK\r\nX: '),
  silence: () => undefined,
  nonsense: (socket) =>
    void socket.write(Buffer.from(Array.from({ length: 2_000 }, (_, at) => (at * 89) & 255))),
  'its own messages without end': OWN_MESSAGES,
};

function residentKb({ gateway, daemon }: Household): number {
  return Number(/VmRSS:\s+(\d+)/.exec(gateway.run('cat', [`/proc/${daemon.pid}/status`]))![1]);
}

export const probeHostileScenarios: readonly Scenario[] = [
  {
    id: 'D10',
    title: 'probe: hostile servers on every TCP port end in bounded time and memory, and disturb nothing',
    limitMs: LIMIT_MS,
    async play(household) {
      const { server, device, daemon, ledger, wan } = household;
      const near = new UdpPeer(household, device, 4501);
      const far = new UdpPeer(household, server, 4501);
      near.send(server.address, 4501, server);
      await ledger.settle();
      const certificate = makeCertificate(['vpn.example.org'], new Date());
      let behave: Behaviour = () => undefined;
      let isTlsBroken = false;
      const ignore = (socket: Socket | TLSSocket): void => void socket.on('error', () => undefined);
      for (const port of [...PLAIN_PORTS, ...TLS_PORTS]) {
        const listener = listenTcp(server, port, (socket) => {
          ignore(socket);
          if (!TLS_PORTS.includes(port) || isTlsBroken) {
            socket.resume();
            behave(socket, port);
            return;
          }
          const inside = new TLSSocket(socket, {
            isServer: true,
            key: certificate.key,
            cert: certificate.certificate,
          });
          ignore(inside);
          inside.resume();
          inside.once('secure', () => behave(inside, port));
        });
        household.onClose(() => void listener.close());
      }
      for (const isBroken of [false, true]) {
        isTlsBroken = isBroken;
        for (const [what, behaviour] of Object.entries(BEHAVIOURS)) {
          // Without a handshake only what looks like one, or is endless, is another case.
          if (isBroken && !['endless bytes', 'nonsense'].includes(what)) continue;
          behave = behaviour;
          const before = residentKb(household);
          const { stdout, stderr } = await daemon.command('probe', server.address, '--json');
          claim(stdout.startsWith('{'), `${what}: probe prints JSON: ${stdout}${stderr}`);
          const report = JSON.parse(stdout) as ProbeReport;
          const more = residentKb(household) - before;
          claim(report.took_ms < 15_000, `${what}: it ends within 15 seconds, and took ${report.took_ms} ms`);
          claim(more < MOST_MORE_KB, `${what}: memory stays bounded, and grew by ${more} kB`);
          for (const id of TCP_IDS) {
            const { verdict } = report.results.find((one) => one.id === id)!;
            claim(verdict === 'other' || verdict === 'silent', `${what}: ${id} is ${verdict}: ${stdout}`);
          }
          near.send(server.address, 4501, server);
          far.send(wan, far.received[0]!.sourcePort, device);
          await ledger.settle();
        }
      }
    },
  },
];
