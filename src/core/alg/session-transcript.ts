// The session machine's own lines of a transcript: what it hears beside facts, and what it says became
// of the sessions. Facts and pairing effects are written by transcript.ts.
import type { SessionRecord } from './session-record.ts';
import type { SessionEffect } from './session-table.ts';
import type { SessionInput } from './sessions.ts';
import {
  address,
  kindOf,
  name,
  number,
  oneOf,
  parseFields,
  renderFields,
  text,
  TranscriptError,
  unmasked,
  type Fields,
  type Form,
  type Mask,
} from './transcript-forms.ts';
import { parseFact, parsePairingEffect, renderFact, renderPairingEffect } from './transcript.ts';
import { SESSION_PROTOCOLS, SESSION_STATES, type SwitchName } from './session-record.ts';

const switchNames: Form<readonly SwitchName[]> = {
  write: (value) => (value.length === 0 ? 'none' : value.join(',')),
  read: (word) =>
    word === 'none' ? [] : word.split(',').map((one) => oneOf('ipsec', 'pptp', 'l2tp').read(one)),
};

const OWN_INPUTS = {
  switches: { disabled: switchNames },
  end: { id: number },
  'taken-over': {},
} as const;

const EFFECTS = {
  began: {
    id: number,
    protocol: oneOf(...SESSION_PROTOCOLS),
    client: address,
    server: address,
    serverPort: number,
    serverName: name,
  },
  turned: {
    id: number,
    protocol: oneOf(...SESSION_PROTOCOLS),
    state: oneOf(...SESSION_STATES),
    trouble: text,
  },
  noted: { id: number, what: text },
  ended: { id: number, reason: text },
  merged: { id: number, into: number },
  release: { id: number },
  crowded: { client: address, limit: number },
} satisfies Record<SessionEffect['kind'], object>;

const asTable = (table: unknown): Readonly<Record<string, Fields>> =>
  table as Readonly<Record<string, Fields>>;

/** Null for what a transcript does not hold: sessions of an earlier run come from the journal. */
export function renderSessionInput(input: SessionInput, mask: Mask = unmasked): string | null {
  switch (input.kind) {
    case 'restore':
      return null;
    case 'pair':
    case 'unpair':
    case 'collision':
      return renderPairingEffect(input, mask);
    case 'switches':
    case 'end':
    case 'taken-over':
      return renderFields(asTable(OWN_INPUTS), input, mask);
    default:
      return renderFact(input, mask);
  }
}

/** Whether a line that was heard is one that the pairing machine does not hear. */
export function isForSessionsAlone(line: string): boolean {
  return Object.hasOwn(OWN_INPUTS, kindOf(line));
}

/** Throws TranscriptError. */
export function parseSessionInput(line: string): SessionInput {
  const kind = kindOf(line);
  if (isForSessionsAlone(line)) return parseFields(asTable(OWN_INPUTS), line) as SessionInput;
  if (!['pair', 'unpair', 'collision'].includes(kind)) return parseFact(line);
  const effect = parsePairingEffect(line);
  if (effect.kind === 'pair' || effect.kind === 'unpair' || effect.kind === 'collision') return effect;
  throw new TranscriptError(`"${kind}" is not heard by the session machine`);
}

export function renderSessionEffect(effect: SessionEffect, mask: Mask = unmasked): string {
  if (effect.kind === 'crowded') return renderFields(asTable(EFFECTS), effect, mask);
  const { id, protocol, client, server, serverPort, serverName, state, trouble }: SessionRecord =
    effect.session;
  const known = { id, protocol, client, server, serverPort, serverName, state, trouble };
  const into = effect.kind === 'merged' ? effect.into.id : null;
  const more = {
    what: effect.kind === 'noted' ? effect.what : null,
    reason: effect.kind === 'ended' ? effect.reason : null,
    into,
  };
  return renderFields(asTable(EFFECTS), { ...known, ...more, kind: effect.kind }, mask);
}
