// What the daemon heard of real programs (test/corpus/transcripts), played to the pairing machine again: each
// SPI of the server must come to its device, whose each was being known by other means.
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { EspPairing } from './esp-pairing.ts';
import type { PairingEffect } from './fact.ts';
import { parseFact, parseTranscript } from './transcript.ts';

/** The pairs that the machine wants, in their order. */
function pairsOf(name: string): Extract<PairingEffect, { kind: 'pair' }>[] {
  const path = new URL(`../../../test/corpus/transcripts/${name}.txt`, import.meta.url);
  const machine = new EspPairing();
  const pairs: Extract<PairingEffect, { kind: 'pair' }>[] = [];
  const note = (effects: readonly PairingEffect[]): void => {
    for (const effect of effects) if (effect.kind === 'pair') pairs.push(effect);
  };
  for (const { mark, at, rest } of parseTranscript(readFileSync(path, 'utf8'))) {
    if (mark === '<<') continue;
    for (let due = machine.nextWake(); due !== null && due <= at; due = machine.nextWake())
      note(machine.wake(due));
    note(machine.handle(parseFact(rest), at));
  }
  return pairs;
}

it('two libreswan whose IKE is slower than their ESP', () => {
  const truth = new Map([
    [0x57b0_77cd, '192.168.1.11'],
    [0x2aa4_dc3b, '192.168.1.12'],
    [0x1c35_c4b0, '192.168.1.11'],
    [0x6a80_0ba2, '192.168.1.12'],
  ]);
  const pairs = pairsOf('two-libreswan');
  expect(new Map(pairs.map(({ spi, client }) => [spi as number, client as string]))).toEqual(truth);
  for (const { spi, client, confidence } of pairs) {
    if (confidence === 'certain') expect(client).toBe(truth.get(spi));
  }
});
