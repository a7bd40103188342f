// Joins the observation to what it serves: the pairing machine, the sessions and the events.
import { EspPairing } from '../core/alg/esp-pairing.ts';
import type { PairingEffect } from '../core/alg/fact.ts';
import { REFRESH_EVERY } from '../core/policy/esp.ts';
import { FloodWatch } from './flood-watch.ts';
import type { Gateway } from './gateway.ts';
import type { Log } from './log.ts';
import { Observation } from './observation.ts';
import type { Records } from './records.ts';

export interface ObservationParts {
  readonly gateway: Gateway;
  readonly records: Records;
  readonly log: Log;
  readonly tellTrouble: (key: string, sentence: string | null) => void;
}

/** Resolves when what the kernel knows has been taken over. */
export async function startObservation(parts: ObservationParts): Promise<Observation> {
  const { gateway, records, log, tellTrouble } = parts;
  const floods = new FloodWatch({
    read: async () => (await gateway.status()).drops.find(({ name }) => name === 'esp_unknown')?.packets ?? 0,
    tell: (what) => records.events.tell({ kind: 'drop', level: 'warn', what, session: null, device: null }),
  });
  const decided = (effect: PairingEffect): void => {
    records.sessions.decided(effect);
    if (effect.kind === 'flood') floods.heard(effect.server, effect.packets);
  };
  const observation = new Observation({
    log,
    debug: process.env['THROUGHWAY_LOG'] === 'debug',
    // For whoever wants to see what the kernel does alone.
    pairing: process.env['THROUGHWAY_PAIRING'] === 'kernel' ? null : new EspPairing(),
    espIdleMs: () => gateway.config.timeouts.esp_seconds * REFRESH_EVERY * 1000,
    isIkePreserved: () => gateway.config.ike.source_port === 'preserve',
    onFact: (fact) => records.sessions.hear(fact),
    onDecision: decided,
    onTakenOver: () => records.sessions.hear({ kind: 'taken-over' }),
    onTrouble: tellTrouble,
    countsBeside: (direction, element) => gateway.countsBeside(direction, element),
    onClose: () => floods.close(),
  });
  await observation.start(gateway.territory(), records.sessions.recognisedFlows());
  return observation;
}
