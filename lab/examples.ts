// The examples of the manual: what it tells an administrator to type, line by line, and how each is played. Played
// verbatim are lines of fences that are commands, and commands within a sentence; a word in capitals stands for
// something, and is filled in. What cannot be played in the lab stands in NOT_HERE, with where it is played instead.
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseTyped } from '../src/cli/command-line.ts';

export interface Example {
  readonly page: string;
  /** As it stands in the manual. */
  readonly text: string;
}

/** What comes before there is a gateway. */
const SETTING_UP = /^sudo (throughway setup|ip) /;

/** Patterns of lines that the lab does not play, and why. */
export const NOT_HERE: readonly { readonly lines: RegExp; readonly why: string }[] = [
  {
    lines: /^npm run bench/,
    why: 'measures for minutes: manual.test.ts holds its options against the program',
  },
  { lines: /^npm (start|test|run )/, why: 'works on the sources, outside any gateway; CI runs the scripts' },
  {
    lines: /^npm audit /,
    why: 'asks a registry, which the tests do not; contents.test.ts shows that the build does not either',
  },
  { lines: /^sudo npm start/, why: 'the demonstration makes namespaces of its own; CI plays it' },
  {
    lines: /^sudo apt-get (install|remove|purge) /,
    why: 'package:test installs, removes and purges the package',
  },
  { lines: /^apt-cache show /, why: 'needs an installed package: package:test plays it' },
  { lines: /^(sudo )?throughway setup$/, why: 'asks on a terminal: package:test answers it, under systemd' },
  { lines: /^sudo throughway setup .*--dnsmasq/, why: 'needs dnsmasq: package:test plays it' },
  {
    lines: /^throughway setup --dnsmasq$/,
    why: 'named in a sentence; package:test plays it with its other flags',
  },
  { lines: /^(sudo )?throughway logs/, why: "needs systemd's journal: package:test plays it" },
  { lines: /^sudo systemctl reload /, why: 'needs systemd: package:test plays it' },
  {
    lines: /^sudo systemctl start /,
    why: 'needs systemd: package:test plays it',
  },
  {
    lines: /^(sudo )?(ufw|firewall-cmd|iptables) /,
    why: 'needs another firewall: package:test plays it beside each',
  },
  {
    lines: /^sudo modprobe /,
    why: "loads modules into the machine's own kernel: package:test types it in a machine with another",
  },
  { lines: /^podman /, why: 'needs a container engine: package:test plays it' },
  { lines: /^throughway selftest$/, why: 'puts up a lab of its own: package:test plays it' },
  {
    lines: /^throughway selftest --through /,
    why: 'needs a reflector on another machine: its own scenarios play both',
  },
  { lines: /^nft -f$/, why: 'half a command, named in a sentence' },
  { lines: /^nft --interactive$/, why: "the name of nft's own prompt, named in a sentence" },
];

/** What a word in capitals stands for. */
const STAND_INS: readonly (readonly [RegExp, string])[] = [
  [/\bsession ID\b/, 'session 1'],
  [/\bend ID\b/, 'end 3'],
  [/\bname-device ID\b/, 'name-device 192.168.1.11'],
  [/\bDEVICE\b/, '192.168.1.11'],
  [/\bHOST\b/, 'vpn.example.org'],
  [/\bCOMMAND\b/, 'status'],
  [/\bPROTOCOL\b/, 'pptp'],
  [/\b(add|reset-password) NAME\b/, '$1 anna --password-file password.txt'],
  [/\btoken create NAME\b/, 'token create monitoring'],
  [/--trace FILE\b/, '--trace trace.txt'],
  [/\bFILE\b/, 'new.yaml'],
];

/** All of one page, in its order. */
export function examplesOn(root: string, page: string): Example[] {
  return examplesIn(readFileSync(join(root, page), 'utf8')).map((text) => ({ page, text }));
}

/** Each once, in the order of the pages. */
export function readExamples(root: string): Example[] {
  const pages = ['README.md', ...globSync('docs/**/*.md', { cwd: root }).sort()];
  const seen = new Set<string>();
  return pages.flatMap((page) =>
    examplesOn(root, page).flatMap(({ text }) => {
      // A second time proves nothing, except of what ends what the page has begun.
      const bare = text.replace(/^sudo /, '');
      const key = bare.endsWith(' confirm') ? `${page} ${bare}` : bare;
      if (seen.has(key)) return [];
      seen.add(key);
      return [{ page, text }];
    }),
  );
}

const COMMAND = /^(sudo|throughway|npm|podman|curl|apt-cache|nft) /;

function examplesIn(markdown: string): string[] {
  const found: string[] = [];
  const rest = markdown.replaceAll(
    /^( *)```(\w*)\n([^]*?)^\1```$/gm,
    (_all, _indent, language, body: string) => {
      if (language === '' || language === 'sh')
        for (const line of body.split('\n')) {
          // The prompt shows that what follows is printed; a column beside a command explains it.
          const typed = line
            .trim()
            .replace(/^\$ /, '')
            .split(/ {2,}/)[0]!
            .replace(/ +# .*$/, '');
          if (COMMAND.test(typed)) found.push(typed);
        }
      return '';
    },
  );
  for (const [, code = ''] of rest.matchAll(/`([^`\n]+)`/g))
    if (COMMAND.test(code) && !isMention(code)) found.push(code);
  return found;
}

/** The bare name of a command that needs arguments, within a sentence. */
function isMention(code: string): boolean {
  const [name = '', ...rest] = /^(?:sudo )?throughway (.*)$/.exec(code)?.[1]?.split(' ') ?? [];
  if (name === '' || rest.length > 0) return false;
  try {
    parseTyped(name, []);
    return false;
  } catch {
    return true;
  }
}

export function whyNotHere({ text }: Example): string | null {
  return NOT_HERE.find(({ lines }) => lines.test(text))?.why ?? null;
}

export function isSettingUp({ text }: Example): boolean {
  return SETTING_UP.test(text);
}

/** As it is typed, with stand-ins for what is in capitals. */
export function typedLine({ text }: Example): string {
  return STAND_INS.reduce((line, [form, standIn]) => line.replace(form, standIn), text);
}
