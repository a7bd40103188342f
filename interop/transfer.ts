// User data through a tunnel: pings, and TCP transfers whose contents are compared at the far end.
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { claim, Disproved, until } from '../lab/wait.ts';
import type { Machine } from './machine.ts';

const DOWN_PORT = 7001;
const UP_PORT = 7002;
const TRANSFER_MS = 120_000;

export interface Rates {
  /** Megabits a second, device to server and back. */
  readonly up: number;
  readonly down: number;
}

/** On a busy machine an answer may take its time; one that is lost never comes. */
const ANSWER_SECONDS = 3;

/** Pings at a tenth of a second; resolves to how many of them were answered. */
export async function ping(from: Machine, to: string, count: number, gapSeconds = 0.1): Promise<number> {
  const { output } = await from.attempt(
    `ping -n -q -c ${count} -i ${gapSeconds} -W ${count === 1 ? 1 : ANSWER_SECONDS} ${to}`,
    (count * gapSeconds + 10) * 1000,
  );
  const received = /(\d+) received/.exec(output)?.[1];
  if (received === undefined) throw new Disproved(`ping ${to} on ${from.name} said: ${output.trim()}`);
  return Number(received);
}

/** Resolves when a ping is answered. */
export async function untilAnswered(from: Machine, to: string, patienceMs: number): Promise<void> {
  await until(
    `an answer to ${from.name}'s ping of ${to}`,
    async () => (await ping(from, to, 1)) === 1,
    patienceMs,
  );
}

/** What both ends of a row's transfers need; the same bytes never go both ways or to two devices. */
export class Transfers {
  readonly #server: Machine;
  readonly #bytes: number;
  readonly #down: Buffer;

  private constructor(server: Machine, megabytes: number) {
    this.#server = server;
    this.#bytes = megabytes * 1_000_000;
    this.#down = randomBytes(this.#bytes);
  }

  static async serve(server: Machine, megabytes: number): Promise<Transfers> {
    const transfers = new Transfers(server, megabytes);
    server.put('/srv/down', transfers.#down);
    server.put('/srv/up', '');
    await server.start(
      'transfer-down',
      `socat -U TCP-LISTEN:${DOWN_PORT},fork,reuseaddr OPEN:/srv/down,rdonly`,
    );
    await server.start(
      'transfer-up',
      `socat -u TCP-LISTEN:${UP_PORT},fork,reuseaddr SYSTEM:"sha256sum >> /srv/up"`,
    );
    await server.run(
      `until ss -ltn | grep -q :${DOWN_PORT} && ss -ltn | grep -q :${UP_PORT}; do sleep 0.1; done`,
    );
    return transfers;
  }

  /** Sends and fetches; throws Disproved when a byte is missing or another. */
  async play(device: Machine, serverInside: string): Promise<Rates> {
    const payload = randomBytes(this.#bytes);
    device.put('/srv/payload', payload);
    const up = await this.#timed(device, `socat -u /srv/payload TCP:${serverInside}:${UP_PORT}`);
    const wanted = sha256(payload);
    await until(
      `what ${device.name} sent to arrive whole`,
      () => this.#server.read('/srv/up').includes(wanted),
      30_000,
      () => this.#server.read('/srv/up'),
    );
    const down = await this.#timed(
      device,
      `socat -u TCP:${serverInside}:${DOWN_PORT} CREATE:/srv/fetched && stat -c '%s bytes' /srv/fetched && sha256sum < /srv/fetched`,
    );
    const [bytes, hash] = down.output.split('\n');
    if (bytes !== `${this.#bytes} bytes` || hash?.slice(0, 64) !== sha256(this.#down))
      throw new Disproved(
        `what ${device.name} fetched is not what was sent: it found ${bytes} with the hash "${hash}"; ${describeDifference(readFileSync(`${device.root}/srv/fetched`), this.#down)}`,
      );
    return { up: up.megabits, down: down.megabits };
  }

  async #timed(device: Machine, command: string): Promise<{ output: string; megabits: number }> {
    const script = `began=$(date +%s%N); ${command} || exit 1; echo; echo $((($(date +%s%N) - began) / 1000))`;
    const output = await device.run(script, TRANSFER_MS);
    const microseconds = Number(output.trim().split('\n').at(-1));
    claim(microseconds > 0, `the transfer of ${device.name} took a time: "${output}"`);
    return { output, megabits: (this.#bytes * 8) / microseconds };
  }
}

/** Whether a program counted wrongly, bytes are missing, or others stand in their place, and where. */
function describeDifference(found: Buffer, wanted: Buffer): string {
  if (found.equals(wanted)) return 'the file itself is the right one, so it was hashed wrongly';
  const common = Math.min(found.length, wanted.length);
  const others: number[] = [];
  for (let at = 0; at < common; at += 1) if (found[at] !== wanted[at]) others.push(at);
  const where = others.length === 0 ? '' : `, from ${others[0]} to ${others.at(-1)}`;
  return `the file has ${found.length} bytes of ${wanted.length}, and ${others.length} of them are others${where}`;
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
