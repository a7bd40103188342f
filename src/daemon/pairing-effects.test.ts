import { deepStrictEqual } from 'node:assert/strict';
import { describe, it } from 'vitest';
import { parseIpv4 } from '../core/address.ts';
import type { PairingEffect } from '../core/alg/fact.ts';
import type { Spi } from '../core/wire/esp.ts';
import type { ElementStep, TableReader } from '../linux/nft-table.ts';
import type { PacketSender } from '../linux/packet-sender.ts';
import { HeldPackets } from './held-packets.ts';
import { PairingEffects } from './pairing-effects.ts';

const SERVER = parseIpv4('203.0.113.1')!;
const DEVICES = [parseIpv4('192.168.1.11')!, parseIpv4('192.168.1.12')!] as const;
const SPI = 0x9aeaaa48 as Spi;
/** IPv4 with ESP (50) from 203.0.113.1 to 198.51.100.2: the SPI, sequence 1, and 16 bytes of data. */
const PACKET = Buffer.from(
  `4500002c0000400040320000cb007101c63364029aeaaa4800000001${'00'.repeat(16)}`,
  'hex',
);

/** What the kernel is asked for, and where the packets go. */
async function perform(stands: boolean, effects: (held: number) => PairingEffect[]) {
  const added: string[] = [];
  const sentTo: string[] = [];
  const held = new HeldPackets();
  const number = held.hold('esp-held', SERVER, PACKET, 0);
  const table = {
    hasElement: () => Promise.resolve(stands),
    change: (steps: ElementStep[]) => {
      for (const { step, set } of steps) if (step === 'add') added.push(set);
      return Promise.resolve();
    },
  } as unknown as TableReader;
  const sender = {
    send: (bytes: Uint8Array) => sentTo.push(bytes.subarray(16, 20).join('.')) > 0,
  } as unknown as PacketSender;
  await new PairingEffects({
    table,
    held,
    tracked: sender,
    untracked: sender,
    espIdleMs: () => 3_600_000,
    wanAddress: () => null,
    isIkePreserved: () => false,
    locate: () => null,
    onTrouble: () => undefined,
  }).perform(effects(number));
  return { added, sentTo };
}

describe('PairingEffects', () => {
  it('gives a packet to several devices, of which none becomes the pair', async () => {
    const got = await perform(false, (held) =>
      DEVICES.map((client): PairingEffect => ({ kind: 'deliver', held, client })),
    );
    deepStrictEqual(got, { added: [], sentTo: [...DEVICES] });
  });

  it('puts a settled pair in again where the kernel has forgotten it', async () => {
    const mend: PairingEffect = { kind: 'mend', server: SERVER, spi: SPI, client: DEVICES[0] };
    deepStrictEqual((await perform(false, () => [mend])).added, ['esp_in']);
    deepStrictEqual((await perform(true, () => [mend])).added, []);
  });
});
