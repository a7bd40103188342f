// Raw ESP of four devices with one server while the daemon pairs by what it observes of IKE: all begin
// at the same moment, rekey at the same moment, from either side, and the server speaks first (cases
// E4, E7, E8, E9 and E13 with the daemon). Every packet must reach its device, those that were held too.
import { readFileSync } from 'node:fs';
import { exchangeTypes } from '../../src/core/wire/isakmp.ts';
import { expireEspPairs, listElements, untilDeathNoticed } from '../learned.ts';
import { converse } from '../peers/converse.ts';
import { EspPeer } from '../peers/esp.ts';
import { EspSession } from '../peers/esp-session.ts';
import { IKE_PORT, IkePeer, type ReceivedIke } from '../peers/ike.ts';
import { replay } from '../../test/golden/transcripts.ts';
import { scenario, type Scenario } from '../scenario.ts';
import type { Host, Household } from '../topologies/household.ts';
import { claim, claimEqual, until } from '../wait.ts';
import { spoof } from './esp-limits.ts';

const { mainMode, quickMode, ikeSaInit, ikeAuth, createChildSa } = exchangeTypes;
const DEVICES = { devices: 4 };
/** A turn may last two seconds, and three devices may be before the last one. */
const PATIENCE_MS = 15_000;

/** One device and its IKE SA with the server. */
interface Party {
  readonly device: Host;
  readonly ike: IkePeer;
  readonly cookie: bigint;
  readonly near: EspPeer;
  generation: number;
}

class Meeting {
  readonly parties: Party[];
  readonly #household: Household;
  readonly #far: IkePeer;
  readonly #farEsp: EspPeer;
  #messageId = 0;

  constructor(household: Household) {
    this.#household = household;
    this.#far = new IkePeer(household, household.server);
    this.#farEsp = new EspPeer(household, household.server);
    this.parties = household.devices.map((device, index) => ({
      device,
      ike: new IkePeer(household, device),
      cookie: 0xc0ff_ee00_0000_0001n + BigInt(index),
      near: new EspPeer(household, device),
      generation: 0,
    }));
  }

  /** The SAs that the party's next exchange makes. */
  nextSession(party: Party): EspSession {
    const number = this.parties.indexOf(party) + 1 + 0x100 * party.generation;
    party.generation += 1;
    return new EspSession(this.#household, party.near, this.#farEsp, 0x1000 + number, 0x2000 + number);
  }

  /** The device asks and the server answers; each as soon as it has heard the other. */
  async exchange(party: Party, exchangeType: number): Promise<void> {
    const messageId = (this.#messageId += 1);
    const { server } = this.#household;
    const message = { initiatorSpi: party.cookie, exchangeType, messageId };
    party.ike.sendIke(server.address, IKE_PORT, server, message);
    this.#far.answer(await this.#heard(this.#far, party, messageId), party.device);
    await this.#heard(party.ike, party, messageId);
    // Quick Mode has a third message, the device's confirmation (RFC 2409 5.5).
    if (exchangeType === quickMode) party.ike.sendIke(server.address, IKE_PORT, server, message);
  }

  /** The server asks under the device's IKE SA, and the device answers. */
  async serverExchange(party: Party, exchangeType: number): Promise<void> {
    const messageId = (this.#messageId += 1);
    const { source, sourcePort, header } = this.#far.latest(party.cookie);
    this.#far.sendIke(source, sourcePort, party.device, {
      initiatorSpi: party.cookie,
      responderSpi: header.responderSpi || 1n,
      exchangeType,
      messageId,
    });
    party.ike.answer(await this.#heard(party.ike, party, messageId), this.#household.server);
    await this.#heard(this.#far, party, messageId);
  }

  /** The device speaks first on its new SA, the server answers at once. */
  async speak(session: EspSession): Promise<void> {
    session.up();
    await this.#arrived('the server', session.server, session.spiOut);
    session.down();
    await this.#arrived(session.device.host.name, session.device, session.spiIn);
  }

  /** The device renews its SA, and speaks on the new one. */
  async renew(party: Party): Promise<EspSession> {
    await this.exchange(party, createChildSa);
    const session = this.nextSession(party);
    await this.speak(session);
    return session;
  }

  /** The server speaks first, three packets at once; the device answers. */
  async answer(session: EspSession): Promise<void> {
    for (let count = 0; count < 3; count += 1) session.down();
    await this.#arrived(session.device.host.name, session.device, session.spiIn);
    session.up();
    await this.#arrived('the server', session.server, session.spiOut);
  }

  /** Everybody's first SAs, all at the same moment. */
  async begin(phase1: number, phase2: number): Promise<EspSession[]> {
    const sessions = await Promise.all(
      this.parties.map(async (party) => {
        await this.exchange(party, phase1);
        await this.exchange(party, phase2);
        const session = this.nextSession(party);
        await this.speak(session);
        return session;
      }),
    );
    await this.#household.ledger.settle(PATIENCE_MS);
    return sessions;
  }

  #heard(peer: IkePeer, { cookie }: Party, messageId: number): Promise<ReceivedIke> {
    return until(
      `${peer.host.name} to hear message ${messageId}`,
      () =>
        peer
          .receivedIke()
          .find(({ header }) => header.initiatorSpi === cookie && header.messageId === messageId),
      PATIENCE_MS,
    );
  }

  async #arrived(who: string, peer: EspPeer, spi: number): Promise<void> {
    await until(
      `${who} to hear ESP on 0x${spi.toString(16)}`,
      () => peer.received.some((packet) => (packet.spi as number) === spi),
      PATIENCE_MS,
    );
  }
}

/** Everybody's first SAs by Quick Mode, until no device has the turn any more. */
async function beginCalmly(household: Household): Promise<Meeting> {
  const met = new Meeting(household);
  await met.begin(mainMode, quickMode);
  await until('nobody to have a turn', () => listElements(household, 'set', 'turn_taken').length === 0);
  return met;
}

/** Kills the daemon; what the kernel would hold for it meanwhile, since it has not noticed, is lost. */
async function withDeadDaemon(household: Household, act: () => Promise<void>): Promise<void> {
  await household.daemon.signal('SIGKILL');
  await act();
  claimEqual(listElements(household, 'set', 'daemon_alive').length, 1, 'elements of the dead daemon');
  await household.ledger.settle(PATIENCE_MS);
}

/** The pairs as the kernel has them, once nothing is on trial any more. */
async function claimPairs(household: Household, sessions: readonly EspSession[]): Promise<void> {
  const wanted = sessions.map(({ device, spiIn }) => `${spiIn} ${device.host.address}`).sort();
  const pairs = (): string[] =>
    ['esp_in', 'esp_trial']
      .flatMap((map) => listElements(household, 'map', map))
      .map((element) => `${Number(/\. (\w+)/.exec(element)?.[1])} ${/: (\S+)$/.exec(element)?.[1]}`)
      .sort();
  await until(
    'every pair to stand in the kernel',
    () => wanted.every((pair) => pairs().includes(pair)),
    PATIENCE_MS,
    () => `${pairs().join(', ')} and not ${wanted.join(', ')}`,
  );
}

/** The last word of a transcript on each SPI, without when it was said. */
function pairsOf(transcript: string): string[] {
  const pairs = new Map<string, string>();
  for (const line of transcript.split('\n')) {
    const [, spi, client] = /<< pair .*\bspi=(\w+) client=(\S+)/.exec(line) ?? [];
    if (spi !== undefined) pairs.set(spi, `${spi} ${client}`);
  }
  return [...pairs.values()].sort();
}

export const espPairedScenarios: readonly Scenario[] = [
  scenario(
    'E4c',
    'four devices begin at the same moment at one server: IKEv1, the daemon pairs',
    async (household) => {
      const sessions = await new Meeting(household).begin(mainMode, quickMode);
      await claimPairs(household, sessions);
      await converse(household, sessions);
    },
    DEVICES,
  ),

  scenario(
    'E4d',
    'four devices begin at the same moment at one server: IKEv2, the daemon pairs',
    async (household) => {
      const sessions = await new Meeting(household).begin(ikeSaInit, ikeAuth);
      await claimPairs(household, sessions);
      await converse(household, sessions);
    },
    DEVICES,
  ),

  scenario(
    'E7c',
    'all four devices rekey at the same moment, twice, the old SPIs in use meanwhile',
    async (household) => {
      const met = new Meeting(household);
      let sessions = await met.begin(ikeSaInit, ikeAuth);
      for (let generation = 1; generation <= 2; generation += 1) {
        const old = sessions;
        sessions = await Promise.all(
          met.parties.map(async (party, index) => {
            await met.exchange(party, createChildSa);
            const next = met.nextSession(party);
            old[index]!.up();
            old[index]!.down();
            await met.speak(next);
            return next;
          }),
        );
        await household.ledger.settle(PATIENCE_MS);
        await claimPairs(household, sessions);
        await converse(household, [...old, ...sessions], 1);
      }
      await converse(household, sessions);
    },
    DEVICES,
  ),

  scenario(
    'E8c',
    'the server rekeys with all four devices at the same moment, and sends first on the new SPIs',
    async (household) => {
      const met = new Meeting(household);
      const old = await met.begin(ikeSaInit, ikeAuth);
      const sessions = await Promise.all(
        met.parties.map(async (party) => {
          await met.serverExchange(party, createChildSa);
          const next = met.nextSession(party);
          await met.answer(next);
          return next;
        }),
      );
      await household.ledger.settle(PATIENCE_MS);
      await claimPairs(household, sessions);
      await converse(household, [...old, ...sessions]);
    },
    DEVICES,
  ),

  scenario(
    'E9c',
    'the server sends first to all four devices, which began at the same moment',
    async (household) => {
      const met = new Meeting(household);
      const sessions = await Promise.all(
        met.parties.map(async (party) => {
          await met.exchange(party, ikeSaInit);
          await met.exchange(party, ikeAuth);
          const session = met.nextSession(party);
          await met.answer(session);
          return session;
        }),
      );
      await household.ledger.settle(PATIENCE_MS);
      await claimPairs(household, sessions);
      await converse(household, sessions);
    },
    DEVICES,
  ),

  scenario(
    'E13c',
    'four devices idle beyond the timeout, then the server sends first to all of them',
    async (household) => {
      const met = new Meeting(household);
      const sessions = await met.begin(ikeSaInit, ikeAuth);
      expireEspPairs(household);
      for (const session of sessions.toReversed()) session.down();
      await household.ledger.settle(PATIENCE_MS);
      await claimPairs(household, sessions);
      await converse(household, sessions);
    },
    DEVICES,
  ),

  scenario(
    'E23',
    'the daemon is killed in the middle and comes back: no pair changes, and it goes on pairing',
    async (household) => {
      const { daemon, ledger } = household;
      const met = new Meeting(household);
      const sessions = await met.begin(ikeSaInit, ikeAuth);
      const before = listElements(household, 'map', 'esp_in').length;
      await daemon.signal('SIGKILL');
      await converse(household, sessions, 2);
      await daemon.start();
      claimEqual(listElements(household, 'map', 'esp_in').length, before, 'pairs after the restart');
      await claimPairs(household, sessions);
      const next = await Promise.all(met.parties.map((party) => met.renew(party)));
      await ledger.settle(PATIENCE_MS);
      await claimPairs(household, next);
      await converse(household, [...sessions, ...next]);
      // Without a daemon for good, the kernel pairs by itself once it has noticed.
      await daemon.signal('SIGKILL');
      await untilDeathNoticed(household);
      const [party] = met.parties;
      const alone = await met.renew(party!);
      await converse(household, [...next, alone]);
    },
    DEVICES,
  ),

  scenario(
    'E23b',
    'IPSec is disabled and enabled, and the daemon is killed: what goes on spoils no pair that the kernel makes',
    async (household) => {
      const { daemon } = household;
      const met = new Meeting(household);
      const sessions = await met.begin(ikeSaInit, ikeAuth);
      const known = (): Promise<boolean> =>
        until(
          'the kernel to know every SPI',
          async () => {
            await converse(household, sessions, 1);
            const lists = [
              listElements(household, 'map', 'esp_in'),
              listElements(household, 'set', 'esp_out'),
            ];
            return lists.every(({ length }) => length === sessions.length);
          },
          PATIENCE_MS,
        );
      await known();
      await daemon.setPassthrough({ ipsec: 'disabled' });
      await daemon.setPassthrough({ ipsec: 'enabled' });
      await known();
      await daemon.signal('SIGKILL');
      await untilDeathNoticed(household);
      await converse(household, sessions, 2);
      const [party] = met.parties;
      const alone = await met.renew(party!);
      await converse(household, [...sessions, alone]);
    },
    DEVICES,
  ),

  scenario(
    'E23c',
    'a device that the kernel has put in line is taken off it when the daemon pairs: after its death whoever begins gets its own answer',
    async (household) => {
      const { daemon, gateway, devices, server } = household;
      const met = new Meeting(household);
      const sessions = await met.begin(ikeSaInit, ikeAuth);
      await converse(household, sessions, 1);
      // As it is when it sent before its server had several devices, and was answered afterwards.
      const line = `{ ${server.address} : ${devices[0]!.address} }`;
      gateway.run('nft', ['add', 'element', 'inet', 'throughway', 'esp_waiting_1', line]);
      const [, second, last] = met.parties;
      sessions.push(await met.renew(second!));
      await until('the line to be empty', () => listElements(household, 'map', 'esp_waiting_1').length === 0);
      await daemon.signal('SIGKILL');
      await untilDeathNoticed(household);
      sessions.push(await met.renew(last!));
      await converse(household, sessions);
    },
    DEVICES,
  ),

  scenario(
    'E23d',
    'a device begins an SA and the daemon is killed: its Quick Mode passes at once, with nobody left to send on what is held',
    async (household) => {
      const met = await beginCalmly(household);
      const [party] = met.parties;
      party!.near.send(household.server.address, 0x1f01, household.server);
      await until('the turn to be its', () => listElements(household, 'set', 'turn_holder').length === 1);
      await withDeadDaemon(household, () => met.exchange(party!, quickMode));
    },
    DEVICES,
  ),

  scenario(
    'E23e',
    'the daemon is killed when a server begins a Quick Mode: it passes at once',
    async (household) => {
      const met = await beginCalmly(household);
      await withDeadDaemon(household, () => met.serverExchange(met.parties[0]!, quickMode));
    },
    DEVICES,
  ),

  scenario(
    'E24',
    'a masked trace of four devices that begin together names none of them, and played again it pairs as the daemon did',
    async (household) => {
      const { daemon, devices, server, wan } = household;
      daemon.traceTo = `${daemon.folder}/trace`;
      daemon.traceMasked = true;
      await daemon.start();
      const met = new Meeting(household);
      const sessions = await met.begin(ikeSaInit, ikeAuth);
      await converse(household, sessions, 2);
      await claimPairs(household, sessions);
      await daemon.signal('SIGTERM');
      const trace = readFileSync(`${daemon.traceTo}-1`, 'utf8');
      const real = [...devices.map(({ address }) => address), server.address, wan];
      claimEqual(
        real.filter((address) => trace.includes(address)),
        [],
        'real addresses in the trace',
      );
      claimEqual(pairsOf(replay(trace)), pairsOf(trace), 'the pairs of the trace, played again');
      claimEqual(pairsOf(trace).length, sessions.length, 'pairs in the trace');
    },
    { ...DEVICES, running: false },
  ),

  scenario(
    'E14d',
    'a flood in the name of a server, its daemon pairing: running and new SAs pass, and one event names it',
    async (household) => {
      const { daemon, server, ledger } = household;
      const met = new Meeting(household);
      const sessions = await met.begin(ikeSaInit, ikeAuth);
      const events = (await daemon.events()).length;
      await spoof(household, [server.address], 20_000);
      await converse(household, sessions);
      await claimPairs(household, sessions);
      const floods = async (): Promise<string[]> =>
        (await daemon.events()).map(({ what }) => what).filter((what) => what.includes('A flood of ESP'));
      const told = await until(
        'the flood to be told',
        async () => {
          const found = await floods();
          return found.length > 0 ? found : null;
        },
        PATIENCE_MS,
      );
      claimEqual(told.length, 1, 'events that name the flood');
      claim((await daemon.events()).length - events <= 2, 'no more events than that');
      const [party] = met.parties;
      const next = await met.renew(party!);
      await ledger.settle(PATIENCE_MS);
      await converse(household, [...sessions, next]);
    },
    DEVICES,
  ),
];
