// The demonstration's VPN sessions: one device, one protocol, one server, each able to connect, to
// send both ways and to say how much has arrived. Who refuses a connection, and how, is kept as a
// sentence for the table.
import type { Protocol } from '../src/core/config/schema.ts';
import { unreachableCodes } from '../src/core/wire/icmp.ts';
import { ipProtocols, type Ipv4Packet } from '../src/core/wire/ipv4.ts';
import { exchangeTypes } from '../src/core/wire/isakmp.ts';
import { LinuxError } from '../src/linux/libc.ts';
import { EspSession } from './peers/esp-session.ts';
import { EspPeer } from './peers/esp.ts';
import { GrePeer } from './peers/gre.ts';
import { IcmpPeer } from './peers/icmp.ts';
import { IKE_PORT, IkePeer } from './peers/ike.ts';
import { L2TP_PORT, L2tpClient, L2tpServer, type L2tpSession } from './peers/l2tp.ts';
import { PptpClient, PptpServer, type PptpSession } from './peers/pptp.ts';
import type { Host, Household } from './topologies/household.ts';
import { Disproved, until } from './wait.ts';

/**
 * An answer that takes longer does not come. The gateway lets one device at a time begin with a server that
 * speaks raw ESP, so that a second one may wait three seconds for its turn.
 */
const PATIENCE_MS = 4_000;

export interface DemoSession {
  readonly device: Host;
  readonly protocol: Protocol;
  /** Resolves when the session stands; rejects with a sentence that says why not. */
  connect(): Promise<void>;
  /** One packet each way; only after `connect`. */
  send(): void;
  /** Packets that have arrived so far, at the server and at the device. */
  arrived(): { up: number; down: number };
}

/** Why a device is refused, as its own system reports it: by a reset or by an ICMP error. */
class Refusals {
  readonly #icmp: IcmpPeer;

  constructor(household: Household, device: Host) {
    this.#icmp = new IcmpPeer(household, device);
  }

  /** How many ICMP errors there were until now, to look only at later ones. */
  get count(): number {
    return this.#icmp.errors.length;
  }

  explain(error: unknown, since: number, isOurs: (packet: Ipv4Packet) => boolean): Error {
    if (error instanceof LinuxError && error.errno === 'ECONNREFUSED')
      return new Error('refused: connection reset');
    if (this.#isProhibited(since, isOurs)) return new Error('refused: administratively prohibited');
    return new Error(error instanceof Disproved ? 'no answer' : String(error));
  }

  /** The work's result, unless a refusal or the end of all patience comes first. */
  async within<T>(work: Promise<T>, since: number, isOurs: (packet: Ipv4Packet) => boolean): Promise<T> {
    const state: { done: boolean } = { done: false };
    const tried = work.finally(() => {
      state.done = true;
    });
    // Whatever comes first is told; what fails later has been told already.
    tried.catch(() => undefined);
    await until('an answer', () => state.done || this.#isProhibited(since, isOurs), PATIENCE_MS);
    if (!state.done) throw new Disproved('refused');
    return tried;
  }

  #isProhibited(since: number, isOurs: (packet: Ipv4Packet) => boolean): boolean {
    return this.#icmp.errors
      .slice(since)
      .some(({ code, about }) => code === unreachableCodes.administrativelyProhibited && isOurs(about));
  }
}

/** Two devices, each with PPTP, L2TP and IPsec to the same server. */
export function demoSessions(household: Household): DemoSession[] {
  const { devices, server } = household;
  const pptp = new PptpServer(household, server);
  const l2tp = new L2tpServer(household, server);
  const farIke = new IkePeer(household, server);
  const farEsp = new EspPeer(household, server);
  return devices.slice(0, 2).flatMap((device, index) => {
    const refusals = new Refusals(household, device);
    return [
      new PptpDemo(household, device, pptp, refusals),
      new L2tpDemo(household, device, index, l2tp, refusals),
      new IpsecDemo(household, device, index, farIke, farEsp, refusals),
    ];
  });
}

class PptpDemo implements DemoSession {
  readonly protocol = 'pptp';
  readonly device: Host;
  readonly #client: PptpClient;
  readonly #refusals: Refusals;
  #session: PptpSession | null = null;
  #before = { up: 0, down: 0 };

  constructor(household: Household, device: Host, server: PptpServer, refusals: Refusals) {
    this.device = device;
    this.#client = new PptpClient(household, new GrePeer(household, device), server);
    this.#refusals = refusals;
  }

  async connect(): Promise<void> {
    this.#before = this.arrived();
    this.#session = null;
    const since = this.#refusals.count;
    const isOurs = ({ protocol }: Ipv4Packet): boolean => protocol === ipProtocols.gre;
    try {
      this.#session = await this.#refusals.within(this.#client.dial(CALL_ID), since, isOurs);
    } catch (error) {
      throw this.#refusals.explain(error, since, isOurs);
    }
    const { near, far } = this.#session;
    this.#before.up -= this.#client.server.gre.ofCall(far.callId).length;
    this.#before.down -= this.#client.gre.ofCall(near.callId).length;
  }

  send(): void {
    this.#session?.up();
    this.#session?.down();
  }

  arrived(): { up: number; down: number } {
    if (this.#session === null) return { ...this.#before };
    const { near, far } = this.#session;
    return {
      up: this.#before.up + this.#client.server.gre.ofCall(far.callId).length,
      down: this.#before.down + this.#client.gre.ofCall(near.callId).length,
    };
  }
}

/** Both devices choose the same one: a NAT that does not translate it mixes them up. */
const CALL_ID = 7;

class L2tpDemo implements DemoSession {
  readonly protocol = 'l2tp';
  readonly device: Host;
  readonly #client: L2tpClient;
  readonly #server: L2tpServer;
  readonly #refusals: Refusals;
  #session: L2tpSession | null = null;
  #before = { up: 0, down: 0 };
  #nextTunnel: number;
  #since = 0;

  constructor(household: Household, device: Host, index: number, server: L2tpServer, refusals: Refusals) {
    this.device = device;
    this.#client = new L2tpClient(household, device);
    this.#server = server;
    this.#refusals = refusals;
    this.#nextTunnel = 0x1000 * (index + 1);
  }

  async connect(): Promise<void> {
    this.#before = this.arrived();
    this.#session = null;
    this.#nextTunnel += 1;
    const since = this.#refusals.count;
    const isOurs = ({ payload }: Ipv4Packet): boolean => isUdpTo(payload, L2TP_PORT);
    try {
      const opened = this.#client.open(this.#server, this.#nextTunnel);
      this.#session = await this.#refusals.within(opened, since, isOurs);
      this.#since = this.#refusals.count;
    } catch (error) {
      throw this.#refusals.explain(error, this.#since, isOurs);
    }
  }

  send(): void {
    this.#session?.up();
    this.#session?.down();
  }

  arrived(): { up: number; down: number } {
    const { up, down } = this.#before;
    const { near, far } = this.#session ?? {};
    return { up: up + (far?.data.length ?? 0), down: down + (near?.data.length ?? 0) };
  }
}

class IpsecDemo implements DemoSession {
  readonly protocol = 'ipsec';
  readonly device: Host;
  readonly #household: Household;
  readonly #ike: IkePeer;
  readonly #farIke: IkePeer;
  readonly #esp: EspPeer;
  readonly #farEsp: EspPeer;
  readonly #refusals: Refusals;
  readonly #index: number;
  #session: EspSession | null = null;
  #generation = 0;
  /** ICMP errors before the session stood last. */
  #since = 0;

  constructor(
    household: Household,
    device: Host,
    index: number,
    farIke: IkePeer,
    farEsp: EspPeer,
    refusals: Refusals,
  ) {
    this.#household = household;
    this.device = device;
    this.#index = index;
    this.#ike = new IkePeer(household, device);
    this.#esp = new EspPeer(household, device);
    this.#farIke = farIke;
    this.#farEsp = farEsp;
    this.#refusals = refusals;
  }

  async connect(): Promise<void> {
    this.#session = null;
    this.#generation += 1;
    const since = this.#refusals.count;
    const number = this.#index * 0x1000 + this.#generation;
    const isOurs = ({ protocol, payload }: Ipv4Packet): boolean =>
      protocol === ipProtocols.esp || isUdpTo(payload, IKE_PORT);
    try {
      for (const exchangeType of [exchangeTypes.ikeSaInit, exchangeTypes.ikeAuth]) {
        const exchanged = this.#exchange(BigInt(number) + 0xc0ff_ee00_0000_0000n, exchangeType);
        await this.#refusals.within(exchanged, since, isOurs);
      }
      const session = new EspSession(
        this.#household,
        this.#esp,
        this.#farEsp,
        0x10_0000 + number,
        0x20_0000 + number,
      );
      await greet(session);
      this.#session = session;
      this.#since = this.#refusals.count;
    } catch (error) {
      throw this.#refusals.explain(error, this.#since, isOurs);
    }
  }

  async #exchange(initiatorSpi: bigint, exchangeType: number): Promise<void> {
    const { server } = this.#household;
    this.#ike.sendIke(server.address, IKE_PORT, server, { initiatorSpi, exchangeType });
    const isOf = (peer: IkePeer) =>
      peer
        .receivedIke()
        .find(({ header }) => header.initiatorSpi === initiatorSpi && header.exchangeType === exchangeType);
    const request = await until('the request', () => isOf(this.#farIke), PATIENCE_MS);
    this.#farIke.answer(request, this.device);
    await until('the response', () => isOf(this.#ike), PATIENCE_MS);
  }

  send(): void {
    this.#session?.up();
    this.#session?.down();
  }

  arrived(): { up: number; down: number } {
    // The first packet of each association belongs to the connecting.
    const isData = ({ sequence }: { sequence: number }): boolean => sequence > 1;
    const isOurs = ({ spi }: { spi: number }): boolean => (spi & 0xf000) === this.#index * 0x1000;
    return {
      up: this.#farEsp.received.filter((one) => isOurs(one) && isData(one)).length,
      down: this.#esp.received.filter(isData).length,
    };
  }
}

/** An ICMP error quotes eight bytes of the datagram at the least, which is its UDP header. */
function isUdpTo(datagram: Uint8Array, port: number): boolean {
  return datagram.length >= 4 && ((datagram[2]! << 8) | datagram[3]!) === port;
}

/** As clients do: they look at once whether the other end is there, which answers what it has heard. */
async function greet(session: EspSession): Promise<void> {
  const { device, server, spiOut, spiIn } = session;
  session.up();
  await until('a packet of ESP', () => server.received.some(({ spi }) => spi === spiOut), PATIENCE_MS);
  session.down();
  await until('the answer', () => device.received.some(({ spi }) => spi === spiIn), PATIENCE_MS);
}
