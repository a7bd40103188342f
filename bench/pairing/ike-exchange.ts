// IKE exchanges between a device and the server, with the retransmissions of real implementations.
// Version 2: a request and its answer; only the request is repeated (RFC 7296 2.1). Version 1: Quick
// Mode has a third message, and both ends repeat theirs until they hear the next (RFC 2409 5.5).
import type { IkePacket } from './packet.ts';
import type { Implementation } from './schedule.ts';

/** Milliseconds before each repetition, from the defaults of each; then it gives up. */
const RETRANSMISSIONS: Readonly<Record<Implementation, readonly number[]>> = {
  strongswan: [4000, 7200, 12_960, 23_328, 41_990],
  libreswan: [500, 1000, 2000, 4000, 8000, 16_000, 32_000],
  windows: [1000, 2000, 4000, 8000, 16_000, 32_000],
  racoon: [3000, 3000, 3000, 3000, 3000],
  vpnc: [2000, 2000, 2000, 2000],
};

/** Quick Mode's third message holds a hash only. */
const QUICK_MODE_3 = 60;

export type End = 'device' | 'server';

/** How messages get to the other end. */
export interface IkeLine {
  readonly device: number;
  readonly unseen: IkePacket['unseen'];
  send(from: End, packet: IkePacket): void;
  after(milliseconds: number, act: () => void): void;
  implementation(end: End): Implementation;
}

interface Exchange {
  readonly version: 1 | 2;
  readonly exchangeType: number;
  readonly initiatorSpi: bigint;
  readonly responderSpi: bigint;
  readonly messageId: number;
  /** Who asks. */
  readonly by: End;
  /** Who began the IKE SA. */
  readonly saBy: End;
  readonly lengths: readonly [number, number];
  /** The other end has heard the request for the first time, and has sent its answer. */
  readonly onAsked?: () => void;
  /** The asking end has the answer. */
  readonly onAnswered: () => void;
  /** Quick Mode: the other end has the confirmation. */
  readonly onConfirmed?: () => void;
}

const other = (end: End): End => (end === 'device' ? 'server' : 'device');

export function runExchange(line: IkeLine, exchange: Exchange): void {
  const { by } = exchange;
  const asked = { heard: false, confirmed: false };
  let answered = false;
  const repeat = (end: End, isDone: () => boolean, send: () => void): void => {
    const waits = RETRANSMISSIONS[line.implementation(end)];
    const again = (index: number): void => {
      if (isDone()) return;
      send();
      const wait = waits[index];
      if (wait !== undefined) line.after(wait, () => again(index + 1));
    };
    again(0);
  };
  const packet = (
    from: End,
    response: boolean,
    receive: () => void,
    identity: object,
    length = exchange.lengths[response ? 1 : 0],
  ): IkePacket => ({
    kind: 'ike',
    client: line.device,
    from: from === 'device' ? 'lan' : 'wan',
    version: exchange.version,
    exchangeType: exchange.exchangeType,
    initiatorSpi: exchange.initiatorSpi,
    responderSpi: exchange.responderSpi,
    messageId: exchange.messageId,
    response: exchange.version === 2 && response,
    initiator: exchange.version === 2 && from === exchange.saBy,
    length,
    unseen: line.unseen,
    identity,
    truth: { receive },
  });
  const identities = [{}, {}, {}] as const;
  const isQuickMode = exchange.onConfirmed !== undefined;
  const confirm = (): void => {
    const hear = (): void => {
      if (asked.confirmed) return;
      asked.confirmed = true;
      exchange.onConfirmed?.();
    };
    line.send(by, packet(by, false, hear, identities[2], QUICK_MODE_3));
  };
  const hearAnswer = (): void => {
    if (!answered) {
      answered = true;
      if (isQuickMode) confirm();
      exchange.onAnswered();
    } else if (isQuickMode) confirm();
  };
  const answer = (): void => line.send(other(by), packet(other(by), true, hearAnswer, identities[1]));
  const hearRequest = (): void => {
    const isFirst = !asked.heard;
    asked.heard = true;
    if (isFirst) {
      if (isQuickMode) repeat(other(by), () => asked.confirmed, answer);
      else answer();
      exchange.onAsked?.();
    } else if (!isQuickMode) answer();
  };
  repeat(
    by,
    () => answered,
    () => line.send(by, packet(by, false, hearRequest, identities[0])),
  );
}
