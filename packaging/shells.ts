// What a person at a terminal meets: the completions, asked of each shell as the TAB key asks it, and the manual pages,
// read by another reader than the usual one. In a Debian with these shells, in which the package is unpacked.
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { claim, claimEqual } from '../lab/wait.ts';
import { bringDebian } from './installed.ts';

/** What is typed, and what must be offered; nothing else of the command may be. */
const TYPED: readonly (readonly [line: string, offered: readonly string[]])[] = [
  ['throughway sta', ['status']],
  ['throughway enable ', ['ipsec', 'l2tp', 'pptp']],
  ['throughway user re', ['remove', 'reset-password']],
  ['throughway status --', ['--help', '--json', '--socket']],
  ['throughway apply --confirm', ['--confirm-within']],
  ['throughway check-config /usr/share/doc/throughway/sb', ['/usr/share/doc/throughway/sbom.cdx.json']],
  ['throughway status --socket /usr/share/doc/throughway/sb', ['/usr/share/doc/throughway/sbom.cdx.json']],
  ['throughway config get timeouts.vpn_u', ['timeouts.vpn_udp_seconds']],
  ['throughway explain vpn-r', ['vpn-router']],
  ['throughway help dow', ['down']],
  ['throughway enable pptp l', []],
];

/** An interactive zsh on a terminal of its own; what it shows for each line stands behind a mark. */
const ZSH = `zmodload zsh/zpty
zpty z "TERM=dumb PS1= zsh -f -i"
wait_for() { local out= chunk; while zpty -r z chunk; do out+=$chunk; [[ $out == *$'\\n'$1* ]] && break; done; REPLY=$out; }
zpty -w z "autoload -U compinit; compinit -u; LISTMAX=0; stty rows 200 cols 200; zle -N say; bindkey '^I' say; say() { zle complete-word; zle -R; print -r -- $'\\\\n'SAID; BUFFER=; }; echo rea''dy"
wait_for ready
while IFS= read -r line; do
  print -r -- "LINE \${line%.}"
  zpty -n -w z "\${line%.}"$'\\t'
  wait_for SAID
  print -r -- "$REPLY"
done < /typed
`;

const FISH = `while read -l line
  echo "LINE "(string sub -e -1 -- $line)
  complete -C (string sub -e -1 -- $line)
end < /typed
`;

const BASH = `. /usr/share/bash-completion/bash_completion
_completion_loader throughway
while IFS= read -r line; do
  line=\${line%.}
  echo "LINE $line"
  read -ra COMP_WORDS <<< "$line"
  [[ $line != *' ' ]] || COMP_WORDS+=('')
  COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)) COMP_LINE=$line COMP_POINT=\${#line}
  _throughway
  printf '%s\\n' "\${COMPREPLY[@]}"
done < /typed
`;

/** A Debian with the shells as an archive, fetched once. */
export function bringShells(): Promise<string> {
  return bringDebian({ packages: ['bash-completion', 'fish', 'mandoc', 'zsh'] });
}

/** Throws Disproved; resolves to a word on what was found. */
export async function playShells(deb: string, folder: string): Promise<string> {
  const archive = await bringShells();
  mkdirSync(join(folder, 'root'), { recursive: true });
  const run = (script: string): string => {
    const ran = spawnSync('unshare', ['--mount', '--fork', '--kill-child', 'sh', '-e', '-c', script], {
      encoding: 'utf8',
      cwd: folder,
      timeout: 120_000,
    });
    claimEqual([ran.status, ran.stderr], [0, ''], 'what the shells say');
    return ran.stdout;
  };
  // With a mark at the end, so that a space there is seen.
  writeFileSync(join(folder, 'typed'), TYPED.map(([line]) => `${line}.\n`).join(''));
  const scripts = { zsh: ZSH, fish: FISH, bash: BASH };
  for (const [shell, text] of Object.entries(scripts)) writeFileSync(join(folder, `ask.${shell}`), text);
  const output = run(`mount -t tmpfs tmpfs root
tar --extract --file "${archive}" --directory root --exclude='./dev/*'
dpkg-deb --fsys-tarfile "${deb}" | tar --extract --keep-directory-symlink --directory root
mount --rbind /dev root/dev
mount -t proc proc root/proc
cp typed ask.* root
${Object.keys(scripts)
  .map((shell) => `echo "SHELL ${shell}"; TERM=dumb HOME=/root chroot root ${shell} /ask.${shell} 2>&1`)
  .join('\n')}
echo 'SHELL mandoc'
for page in man8/throughway.8 man5/throughway.yaml.5; do
  zcat root/usr/share/man/$page.gz > root/tmp/page
  chroot root mandoc -T lint -W warning /tmp/page || true
done`);
  const said = new Map(
    output
      .split(/^SHELL /m)
      .slice(1)
      .map((part) => [part.slice(0, part.indexOf('\n')), part.slice(part.indexOf('\n') + 1)]),
  );
  for (const shell of Object.keys(scripts)) {
    const answers = said
      .get(shell)!
      .split(/^LINE /m)
      .slice(1);
    claimEqual(answers.length, TYPED.length, `the answers of ${shell}`);
    for (const [index, [line, offered]] of TYPED.entries()) {
      const answer = answers[index]!.slice(line.length);
      for (const word of offered)
        claim(answer.includes(word), `${shell} offers "${word}" for "${line}": ${answer}`);
      if (offered.length === 0)
        claim(!/ipsec|l2tp/.test(answer), `${shell} offers nothing for "${line}": ${answer}`);
    }
  }
  claimEqual(said.get('mandoc'), '', 'what mandoc says of the manual pages');
  return `${TYPED.length} lines in ${Object.keys(scripts).join(', ')}`;
}
