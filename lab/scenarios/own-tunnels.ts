// The gateway's own tunnels beside those of its devices: GRE that belongs to nobody, ESP of the
// gateway's own security associations, and a PPTP client on the gateway (cases G1 to G3). This kernel
// need have neither GRE interfaces nor ESP: a raw socket takes what comes to the gateway itself.
import { parseConfig } from '../../src/core/config/document.ts';
import { planRuleset } from '../../src/core/policy/gateway.ts';
import { renderTransaction } from '../../src/core/policy/ruleset.ts';
import { unreachableCodes } from '../../src/core/wire/icmp.ts';
import { ipProtocols } from '../../src/core/wire/ipv4.ts';
import { converse } from '../peers/converse.ts';
import { EspPeer } from '../peers/esp.ts';
import { EspSession } from '../peers/esp-session.ts';
import { GrePeer, type GreHeader } from '../peers/gre.ts';
import { IcmpPeer } from '../peers/icmp.ts';
import { PptpClient } from '../peers/pptp.ts';
import { scenario, type Scenario } from '../scenario.ts';
import { RawSocket } from '../sockets.ts';
import type { Host, Household } from '../topologies/household.ts';
import { claim, claimEqual, until } from '../wait.ts';
import { listElements } from '../learned.ts';
import { pptpClients, remembered } from './pptp.ts';
import { sessionsWithServer } from './esp.ts';

/** The gateway as a host of its own on the WAN; what it takes of this protocol is in the ledger. */
function gatewayHost(household: Household, protocol: number): Host {
  const { gateway, wan, ledger, wanCapture, server } = household;
  const host = { name: 'gateway', namespace: gateway, address: wan, ipv6: server.ipv6, capture: wanCapture };
  const taken = new RawSocket(host, protocol, (packet) => ledger.taken('gateway', packet));
  household.onClose(() => taken.close());
  return host;
}

/** A security association of the gateway's own as a key exchange reserves it, before it has keys. */
function reserveSpi({ gateway, server, wan }: Household, spi: number): void {
  const ends = ['src', server.address, 'dst', wan, 'proto', 'esp', 'mode', 'tunnel'];
  gateway.run('ip', ['xfrm', 'state', 'allocspi', ...ends, 'min', `${spi}`, 'max', `${spi}`]);
}

/** The kernel announces what is deleted, and then all are read. */
function announceAssociations(household: Household): void {
  reserveSpi(household, 0x9999);
  const { gateway, server, wan } = household;
  const ends = ['src', server.address, 'dst', wan, 'proto', 'esp'];
  gateway.run('ip', ['xfrm', 'state', 'delete', ...ends, 'spi', '0x9999']);
}

export const ownTunnelScenarios: readonly Scenario[] = [
  scenario(
    'G1',
    'GRE that belongs to nobody gets no answer and reaches no device, also while a device has a call',
    async (household) => {
      const { servers, wan, daemon, ledger } = household;
      const { clients } = pptpClients(household, 1);
      const session = await clients[0]!.dial(0x0101);
      await converse(household, [session]);
      const errors = servers.map((host) => new IcmpPeer(household, host));
      const before = await daemon.drops('wan_input');
      const strangers = servers.map((host) => new GrePeer(household, host));
      const v0 = { version: 0, hasChecksum: false, protocol: 0x0800, key: null, sequence: 1 } as const;
      const v1 = { version: 1, callId: 0x7777, sequence: 1, acknowledgment: null } as const;
      const unknown: GreHeader[] = [v0, { ...v0, key: 0x0101 }, v1];
      for (const stranger of strangers) for (const header of unknown) stranger.send(wan, header, null);
      // The Call ID that the device's call has, but from another server.
      strangers[1]!.send(wan, { ...v1, callId: session.far.peerCallId }, null);
      const wanted = before + strangers.length * unknown.length + 1;
      await until('all of it to be dropped', async () => (await daemon.drops('wan_input')) >= wanted);
      await converse(household, [session]);
      await ledger.settle();
      claimEqual(await daemon.drops('wan_input'), wanted, 'packets dropped');
      claimEqual(
        errors.map((peer) => peer.errors.length),
        [0, 0],
        'ICMP errors at the servers',
      );
    },
  ),

  scenario(
    'G1b',
    "GRE of the gateway's own tunnel is for the gateway, also when a device sends GRE to the same far end first",
    async (household) => {
      const { gateway, daemon, device, server, wan, ledger } = household;
      // Without GRE interfaces in this kernel: the ruleset of a gateway that has one.
      const read = parseConfig(daemon.readConfig());
      claim('config' in read, 'the configuration is in order');
      const ruleset = planRuleset(read.config, {
        wanAddress: wan,
        ownGreRemotes: [server.address],
        othersFilter: false,
      });
      gateway.run('nft', ['-f', '-'], renderTransaction(ruleset, 'same-schema'));
      gateway.sysctl('net.ipv4.ip_forward', '1');
      const own = new GrePeer(household, gatewayHost(household, ipProtocols.gre));
      const [near, far] = [new GrePeer(household, device), new GrePeer(household, server)];
      const errors = new IcmpPeer(household, device);
      const v0 = { version: 0, hasChecksum: false, protocol: 0x0800, key: null } as const;
      near.send(server.address, { ...v0, sequence: 0 }, null);
      const refusal = await until('the device to be refused', () => errors.errors[0]);
      claimEqual(refusal.code, unreachableCodes.administrativelyProhibited, 'why');
      // A call of PPTP to the same far end is none of this.
      const call = { version: 1, callId: 0x0101, sequence: 0, acknowledgment: null } as const;
      near.send(server.address, call, server);
      for (let sequence = 1; sequence < 10; sequence += 1) {
        far.send(wan, { ...v0, sequence }, own.host);
        own.send(server.address, { ...v0, sequence }, server);
        await ledger.settle();
      }
    },
    { running: false },
  ),

  scenario(
    'G2',
    "ESP of the gateway's own security association is for the gateway, whoever waits for this server",
    async (household) => {
      const { daemon, server, wan, ledger } = household;
      const gateway = gatewayHost(household, ipProtocols.esp);
      const own = new EspPeer(household, gateway);
      const [ownOut, ownIn] = [0x1000, 0x5000];
      reserveSpi(household, ownIn);
      announceAssociations(household);
      await until('the set to have it', () => listElements(household, 'set', 'own_sa').length === 1);
      const [first, second] = sessionsWithServer(household, 2);
      const far = first!.server;
      const fromServer = (sequence: number): void => far.send(wan, ownIn, gateway, { sequence });
      // A device waits for this server's answer, and its only device is meant by all that nobody knows.
      first!.up();
      await ledger.settle();
      for (const sequence of [1, 2, 8, 9]) fromServer(sequence);
      await ledger.settle();
      first!.down();
      await ledger.settle();
      second!.up();
      await ledger.settle();
      fromServer(10);
      await ledger.settle();
      own.send(server.address, ownOut, server);
      second!.down();
      await ledger.settle();
      const mine = new EspSession(household, own, far, ownOut, ownIn);
      await converse(household, [first!, second!, mine], 10);
      claimEqual(
        listElements(household, 'map', 'esp_in')
          .map((one) => one.split(' ').slice(0, 3).join(' '))
          .toSorted(),
        [0x2001, 0x2002].map((spi) => `${server.address} . ${spi}`),
        'the pairs that were learned',
      );
      claimEqual(await daemon.drops('wan_input'), 0, 'packets for the gateway that were dropped');
    },
  ),

  scenario(
    'G2b',
    "the server is faster than the gateway's own key exchange: what was learned for a device is corrected",
    async (household) => {
      const { wan, ledger } = household;
      const gateway = gatewayHost(household, ipProtocols.esp);
      const [first, second] = sessionsWithServer(household, 2);
      const far = first!.server;
      const ownIn = 0x5000;
      await first!.begin();
      second!.up();
      await ledger.settle();
      // Nobody knows yet that this is the gateway's, and a device waits.
      far.send(wan, ownIn, second!.device.host);
      await ledger.settle();
      reserveSpi(household, ownIn);
      announceAssociations(household);
      await until('the set to have it', () => listElements(household, 'set', 'own_sa').length === 1);
      await until('the pair to be gone', () =>
        listElements(household, 'map', 'esp_in').every((one) => !one.includes(` ${ownIn} `)),
      );
      for (let count = 0; count < 10; count += 1) far.send(wan, ownIn, gateway);
      await converse(household, [first!]);
      // The device's next new SPI waits again.
      const again = new EspSession(household, second!.device, far, 0x1012, 0x2012);
      await again.begin();
      await converse(household, [first!, again]);
    },
  ),

  scenario(
    'G3',
    'a PPTP client on the gateway beside that of a device, same server and same Call ID',
    async (household) => {
      const { clients } = pptpClients(household, 1);
      const host = gatewayHost(household, ipProtocols.gre);
      const own = new PptpClient(household, new GrePeer(household, host), clients[0]!.server);
      const sessions = [await own.dial(0x0101), await clients[0]!.dial(0x0101)];
      await converse(household, sessions, 10);
      const { control } = await remembered(household);
      for (const caller of [household.device.address, household.wan]) {
        const entry = control.find(({ original }) => original.source === caller);
        claimEqual(entry?.helper, 'pptp', `the helper of the control connection of ${caller}`);
      }
      await own.hangUp(sessions[0]!.near);
      await converse(household, [sessions[1]!]);
      const again = await own.dial(0x0102);
      await converse(household, [again, sessions[1]!]);
    },
  ),
];
