// A ruleset as a value, and its text. Knows nft's syntax and nothing of VPNs: what the rules say is
// decided by the other files of this folder. Everything lives in one table, `inet throughway`.
//
// Loading must lose no packet and no learned pair, so the text is one transaction that empties the
// chains and fills them again, and leaves sets, maps, counters and objects as they are
// (nft(8) "flush table" empties chains only).

export const TABLE_NAME = 'throughway';
export const TABLE = `inet ${TABLE_NAME}`;

/** Raised whenever a set, map or chain changes in a way that an existing table cannot take over. */
const SCHEMA = 3;

/** The comment of our table, by which a later version knows whether it can take the table over. */
export const TABLE_COMMENT = `Throughway, schema ${SCHEMA}: written by the daemon, change its configuration instead`;

export interface Rule {
  /** The rule in nft's words. Its parts come from constants and branded values only. */
  readonly text: string;
  /** For the administrator who reads `nft list ruleset`. nft allows 128 bytes. */
  readonly comment: string;
}

export interface Chain {
  readonly name: string;
  /** What packets come by here; null for a chain that others jump to. */
  readonly hook: string | null;
  readonly rules: readonly Rule[];
}

/** A set, map, counter, helper or timeout object. */
export interface Declaration {
  readonly kind: 'counter' | 'ct helper' | 'ct timeout' | 'set' | 'map';
  readonly name: string;
  readonly lines: readonly string[];
}

export interface Ruleset {
  readonly declarations: readonly Declaration[];
  readonly chains: readonly Chain[];
  /** Chains with hooks that are not needed now, and go if they are there. */
  readonly unneeded: readonly { readonly name: string; readonly hook: string }[];
  /** Sets and maps whose learned elements must go, because their protocol is off or their address is gone. */
  readonly forget: readonly string[];
}

export function rule(text: string, comment: string): Rule {
  return { text, comment };
}

/** The table as nft would print it, which is also what a person reads with `print-ruleset`. */
export function renderTable(ruleset: Ruleset): string {
  const lines = [`table ${TABLE} {`, `\tcomment "${TABLE_COMMENT}"`];
  for (const declaration of ruleset.declarations) {
    lines.push(
      '',
      `\t${declaration.kind} ${declaration.name} {`,
      ...declaration.lines.map((line) => `\t\t${line}`),
      '\t}',
    );
  }
  for (const chain of ruleset.chains) {
    lines.push('', `\tchain ${chain.name} {`);
    if (chain.hook !== null) lines.push(`\t\ttype ${chain.hook}; policy accept;`);
    lines.push(...chain.rules.map((one) => `\t\t${one.text} comment "${one.comment}"`), '\t}');
  }
  return `${[...lines, '}'].join('\n')}\n`;
}

/** What takes the kernel from any state of our table to this ruleset, as one transaction. */
export function renderTransaction(ruleset: Ruleset, existing: 'same-schema' | 'other-schema'): string {
  const addTable = `add table ${TABLE} { comment "${TABLE_COMMENT}"; }`;
  const begin =
    existing === 'same-schema'
      ? [addTable, `flush table ${TABLE}`]
      : [addTable, `delete table ${TABLE}`, addTable];
  // Added first, so that it is no error when they are not there.
  const end = ruleset.unneeded.map(
    ({ name, hook }) =>
      `add chain ${TABLE} ${name} { type ${hook}; policy accept; }\ndelete chain ${TABLE} ${name}\n`,
  );
  return `${begin.join('\n')}\n${renderTable(ruleset)}${end.join('')}`;
}

/** For a match on one of several addresses. */
export function addressSet(addresses: readonly string[]): string {
  return `{ ${addresses.join(', ')} }`;
}

/** `"eth1"` or `{ "eth1", "eth2" }`. */
export function interfaceSet(names: readonly string[]): string {
  return names.length === 1 ? `"${names[0]}"` : `{ ${names.map((name) => `"${name}"`).join(', ')} }`;
}
