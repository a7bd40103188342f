// What happens in one schedule, drawn at random: who connects when, from what, with which traffic, how
// the network behaves, who rekeys. The shares are guesses at what households and offices have, with
// far more overlaps than any of them: a day's rekeys happen within a minute.
import type { Random } from './random.ts';

/** Its retransmissions and its choice of SPIs differ (see `RETRANSMISSIONS` and `drawSpi`). */
export type Implementation = 'strongswan' | 'libreswan' | 'windows' | 'racoon' | 'vpnc';

export type Pattern = 'web' | 'ping' | 'push' | 'quiet' | 'one-way-up' | 'one-way-down';

export interface TunnelPlan {
  readonly pattern: Pattern;
  /** From the SA's being there to its first packet. */
  readonly firstAfter: number;
  /** Who sends it. */
  readonly firstBy: 'device' | 'server';
  /** Between rekeyings; from the end of one to the beginning of the next. */
  readonly lifetime: number;
  readonly rekeyBy: 'device' | 'server';
}

export interface DevicePlan {
  readonly implementation: Implementation;
  readonly version: 1 | 2;
  readonly startAt: number;
  /**
   * Nobody observes its IKE: `copies` are missing, as from before the daemon's start, but conntrack knows that it
   * speaks IKE with the server; or nothing passes but its ESP, as with keys that were set by hand.
   */
  readonly unseen: 'no' | 'copies' | 'all';
  /** IKE_AUTH takes so many rounds (EAP has several). */
  readonly authRounds: number;
  readonly lanDelay: number;
  readonly tunnels: readonly TunnelPlan[];
  /** When the IKE SA is renewed, and by whom. */
  readonly ikeRekey: { readonly at: number; readonly by: 'device' | 'server' } | null;
}

export interface Network {
  /** One way between the gateway and the server, in milliseconds. */
  readonly delay: number;
  readonly jitter: number;
  /** The share of packets that may overtake others. */
  readonly overtaking: number;
  readonly loss: number;
}

export interface Schedule {
  readonly number: number;
  readonly devices: readonly DevicePlan[];
  readonly server: {
    readonly implementation: Implementation;
    /** Sends on a new SA at once; otherwise only when the old one is deleted (strongSwan since 5.5.3). */
    readonly eager: boolean;
  };
  readonly network: Network;
  /** No more is begun after this. */
  readonly quietFrom: number;
  readonly end: number;
}

const END = 240_000;
const QUIET_FROM = 220_000;

export function drawSchedule(number: number, random: Random): Schedule {
  const count = random.integer(2, 16);
  const together = random.isSo(0.5);
  const window = together ? random.logBetween(5, 5000) : 60_000;
  const serverLifetime = random.between(60_000, 200_000);
  // Servers that rekey by the clock meet clients that have begun together again and again.
  const punctual = random.isSo(0.3);
  return {
    number,
    devices: Array.from({ length: count }, () =>
      drawDevice(random, random.between(0, window), () =>
        punctual ? serverLifetime : serverLifetime * random.between(0.7, 1),
      ),
    ),
    server: {
      implementation: random.pick({ strongswan: 5, libreswan: 2, windows: 2, racoon: 1 }),
      eager: random.isSo(0.5),
    },
    network: {
      delay: random.logBetween(3, 100),
      jitter: random.logBetween(5, 300),
      overtaking: random.isSo(0.4) ? 0 : random.logBetween(0.01, 1),
      loss: 0.01,
    },
    quietFrom: QUIET_FROM,
    end: END,
  };
}

function drawDevice(random: Random, startAt: number, serverLifetime: () => number): DevicePlan {
  const implementation = random.pick({ strongswan: 35, libreswan: 15, windows: 20, racoon: 15, vpnc: 15 });
  const version = implementation === 'vpnc' || (implementation !== 'windows' && random.isSo(0.35)) ? 1 : 2;
  const tunnels = random.isSo(0.15) ? 2 : 1;
  return {
    implementation,
    version,
    startAt,
    unseen: drawUnseen(random.unit()),
    authRounds: version === 2 && random.isSo(0.3) ? random.integer(2, 5) : 1,
    lanDelay: random.logBetween(0.2, 4),
    tunnels: Array.from({ length: tunnels }, () => drawTunnel(random, serverLifetime)),
    ikeRekey: random.isSo(0.3)
      ? { at: random.between(10_000, 200_000), by: random.isSo(0.6) ? 'device' : 'server' }
      : null,
  };
}

function drawUnseen(draw: number): DevicePlan['unseen'] {
  if (draw < 0.003) return 'all';
  return draw < 0.015 ? 'copies' : 'no';
}

function drawTunnel(random: Random, serverLifetime: () => number): TunnelPlan {
  const pattern = random.pick({
    web: 45,
    ping: 20,
    push: 10,
    quiet: 20,
    'one-way-up': 3,
    'one-way-down': 2,
  });
  const rekeyBy = random.isSo(0.6) ? 'device' : 'server';
  return {
    pattern,
    ...drawFirst(random, pattern),
    lifetime: rekeyBy === 'server' ? serverLifetime() : random.between(60_000, 200_000),
    rekeyBy,
  };
}

function drawFirst(random: Random, pattern: Pattern): Pick<TunnelPlan, 'firstAfter' | 'firstBy'> {
  switch (pattern) {
    case 'push':
    case 'one-way-down':
      return { firstBy: 'server', firstAfter: random.wait(random.isSo(0.95) ? 100 : 5000) };
    case 'quiet':
      return { firstBy: random.isSo(0.9) ? 'device' : 'server', firstAfter: random.between(3000, 30_000) };
    case 'web':
    case 'ping':
    case 'one-way-up':
      // A third were brought up by a packet that waits already.
      return { firstBy: 'device', firstAfter: random.isSo(0.33) ? 0 : random.wait(200) };
  }
}
