// ICMP errors about ESP, and ESP and AH that the gateway refuses by an ICMP error of its own (cases
// E17 and E19). ESP is not in conntrack, so its errors find their device by the quoted SPI.
import { emitAh } from '../../src/core/wire/ah.ts';
import { parseEsp } from '../../src/core/wire/esp.ts';
import { emitIcmp, icmpTypes, unreachableCodes } from '../../src/core/wire/icmp.ts';
import { emitIpv4Packet, ipProtocols } from '../../src/core/wire/ipv4.ts';
import { EspPeer } from '../peers/esp.ts';
import { type EspSession } from '../peers/esp-session.ts';
import { converse } from '../peers/converse.ts';
import { IcmpPeer } from '../peers/icmp.ts';
import { scenario, type Scenario } from '../scenario.ts';
import { PacketSender, RawSocket } from '../sockets.ts';
import { ADDRESSES, type Household } from '../topologies/household.ts';
import { claim, claimEqual, until } from '../wait.ts';
import { sessionsWithServer } from './esp.ts';

/** What a device's ESP that meets an obstacle on its way is told; the packet must reach nobody. */
interface Obstacle {
  readonly length: number;
  readonly ttl?: number;
}

/** Sends one packet with DF set on the session; the error that its device gets is returned. */
export async function meet(
  household: Household,
  session: EspSession,
  errors: IcmpPeer,
  { length, ttl }: Obstacle,
): Promise<IcmpPeer['errors'][number]> {
  const { host } = session.device;
  const destination = session.server.host.address;
  const sender = new PacketSender(host.namespace);
  household.onClose(() => sender.close());
  const before = errors.errors.length;
  sender.send(
    destination,
    emitIpv4Packet({
      protocol: ipProtocols.esp,
      source: host.address,
      destination,
      dontFragment: true,
      ...(ttl === undefined ? {} : { ttl }),
      payload: session.device.packet(destination, session.spiOut, null, { length }),
    }),
  );
  return until(`the error for ${host.name}`, () => errors.errors[before]);
}

export const icmpScenarios: readonly Scenario[] = [
  scenario('E17', 'ICMP errors about ESP reach the device that sent it, and no other', async (household) => {
    const { devices, server, isp, ledger } = household;
    const sessions = sessionsWithServer(household, 3);
    const listeners = devices.map((device) => new IcmpPeer(household, device));
    for (const session of sessions) await session.begin();
    isp.ip('link set br0 mtu 1200');
    for (const [index, session] of sessions.slice(0, 2).entries()) {
      const tooBig = await meet(household, session, listeners[index]!, { length: 1300 });
      claimEqual(
        [tooBig.type, tooBig.code, tooBig.nextHopMtuBytes],
        [icmpTypes.destinationUnreachable, unreachableCodes.fragmentationNeeded, 1200],
        'the error about a packet that is too big',
      );
      claimEqual(
        [tooBig.source, tooBig.about.destination, parseEsp(tooBig.about.payload).spi],
        [ADDRESSES.ispWan, server.address, session.spiOut],
        'who sent it, and the destination and SPI that it quotes',
      );
      const late = await meet(household, session, listeners[index]!, { length: 64, ttl: 2 });
      claimEqual(
        [late.type, parseEsp(late.about.payload).spi],
        [icmpTypes.timeExceeded, session.spiOut],
        'the error about a packet whose time was up',
      );
      // What fits goes on.
      session.up({ length: 1100 });
      await ledger.settle();
    }
    await converse(household, sessions);
    claimEqual(
      listeners.map(({ errors }) => errors.length),
      [2, 2, 0],
      'errors that each device got',
    );
  }),

  scenario('E17b', "a WAN that is narrower than the LAN: the gateway's own too-big", async (household) => {
    const { devices, server, gateway } = household;
    const sessions = sessionsWithServer(household, 2);
    const listeners = devices.slice(0, 2).map((device) => new IcmpPeer(household, device));
    for (const session of sessions) await session.begin();
    gateway.ip('link set wan0 mtu 1280');
    const tooBig = await meet(household, sessions[1]!, listeners[1]!, { length: 1400 });
    claimEqual(
      [tooBig.source, tooBig.code, tooBig.nextHopMtuBytes],
      [ADDRESSES.wan, unreachableCodes.fragmentationNeeded, 1280],
      'the error',
    );
    claimEqual(
      [tooBig.about.source, tooBig.about.destination, parseEsp(tooBig.about.payload).spi],
      // As in errors from further away: by the destination and the SPI the device knows what is meant.
      [ADDRESSES.wan, server.address, sessions[1]!.spiOut],
      'what it quotes',
    );
    await converse(household, sessions);
    claimEqual(listeners[0]!.errors.length, 0, 'errors that the other device got');
  }),

  scenario('E17c', 'a forged error for an SPI that nobody uses reaches nobody', async (household) => {
    const { devices, server, isp, wan } = household;
    const sessions = sessionsWithServer(household, 2);
    const listeners = devices.map((device) => new IcmpPeer(household, device));
    for (const session of sessions) await session.begin();
    const stranger = new EspPeer(household, server);
    const quote = emitIpv4Packet({
      protocol: ipProtocols.esp,
      source: wan,
      destination: server.address,
      payload: stranger.packet(wan, 0xdead, null),
    });
    const icmp = new RawSocket({ namespace: isp, address: ADDRESSES.ispWan }, ipProtocols.icmp, () => {});
    household.onClose(() => icmp.close());
    icmp.send(
      wan,
      emitIcmp({
        kind: 'error',
        type: icmpTypes.destinationUnreachable,
        code: unreachableCodes.fragmentationNeeded,
        pointer: 0,
        nextHopMtuBytes: 576,
        quoted: quote.subarray(0, 28),
      }),
    );
    await converse(household, sessions);
    claim(
      listeners.every(({ errors }) => errors.length === 0),
      'no device got the error',
    );
  }),

  scenario('E17d', 'a device whose VPN has ended says so: no private address leaves', async (household) => {
    const { device, server, ledger } = household;
    const [session] = sessionsWithServer(household, 1);
    await session!.begin();
    const stranger = new EspPeer(household, device);
    const quoted = emitIpv4Packet({
      protocol: ipProtocols.esp,
      source: server.address,
      destination: device.address,
      payload: stranger.packet(server.address, session!.spiIn, null),
    });
    const told = new IcmpPeer(household, server);
    const icmp = new RawSocket(device, ipProtocols.icmp, () => {});
    household.onClose(() => icmp.close());
    // What a kernel answers when nobody takes ESP any more; the ledger looks at what leaves.
    for (let count = 0; count < 3; count += 1)
      icmp.send(
        server.address,
        emitIcmp({
          kind: 'error',
          type: icmpTypes.destinationUnreachable,
          code: unreachableCodes.protocol,
          pointer: 0,
          nextHopMtuBytes: 0,
          quoted: quoted.subarray(0, 28),
        }),
      );
    session!.up();
    await ledger.settle();
    claimEqual(told.errors.length, 0, 'errors that the server got');
  }),

  scenario('E19', 'AH is refused at once, with the reason', async (household) => {
    const { device, devices, server, ledger, daemon } = household;
    const [session] = sessionsWithServer(household, 1);
    const listeners = devices.map((one) => new IcmpPeer(household, one));
    const ah = new RawSocket(device, ipProtocols.ah, () => {});
    household.onClose(() => ah.close());
    const before = performance.now();
    for (let sequence = 1; sequence <= 3; sequence += 1) {
      ah.send(
        server.address,
        emitAh({
          nextHeader: ipProtocols.esp,
          spi: parseEsp(Uint8Array.of(0, 0, 0x10, 1, 0, 0, 0, 1)).spi,
          sequence,
          integrityValue: new Uint8Array(12),
          payload: ledger.tag(`AH #${sequence}`, null),
        }),
      );
    }
    const refusal = await until('the refusal', () => listeners[0]!.errors[2]);
    const took = performance.now() - before;
    claimEqual(
      [refusal.type, refusal.code, refusal.about.protocol],
      [icmpTypes.destinationUnreachable, unreachableCodes.administrativelyProhibited, ipProtocols.ah],
      'the refusal',
    );
    claim(took < 500, `it comes at once (${took.toFixed(0)} ms)`);
    await session!.begin();
    claimEqual(
      listeners.map(({ errors }) => errors.length),
      [3, 0, 0],
      'refusals that each device got',
    );
    claimEqual(await daemon.drops('ah_refused'), 3, 'AH packets counted');
    const counted = (await daemon.status()).drops.find(({ name }) => name === 'ah_refused')!;
    claim(counted.sentence.includes('AH'), `the sentence says why: ${counted.sentence}`);
  }),
];
