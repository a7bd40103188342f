import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { COMMANDS } from './commands.ts';
import { TOPICS } from '../core/advice/topics.ts';
import { settingNames } from '../core/config/document.ts';
import { renderCompletion } from './completion.ts';

const NAMED = { topics: TOPICS.map((one) => one.name), settings: settingNames() };

/** What bash offers for the last word of a line. */
function complete(line: string): string[] {
  const words = line.split(' ');
  const script = `${renderCompletion('bash', COMMANDS, NAMED)}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')})
COMP_CWORD=${words.length - 1}
_throughway
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const ran = spawnSync('bash', ['--norc', '-c', script], { encoding: 'utf8', cwd: import.meta.dirname });
  expect(ran.stderr).toBe('');
  return ran.stdout.split('\n').filter((word) => word !== '');
}

describe('bash completes', () => {
  it('the commands', () => {
    expect(complete('throughway ')).toEqual([...COMMANDS.map((one) => one.name), 'help']);
    expect(complete('throughway sta')).toContain('status');
    expect(complete('throughway zzz')).toEqual([]);
  });

  it('every option of every command', () => {
    for (const command of COMMANDS)
      expect(complete(`throughway ${command.name} --`)).toEqual([
        ...command.options.map((one) => `--${one.name}`),
        '--help',
      ]);
  });

  it('what an argument may be, also behind an option with a value', () => {
    expect(complete('throughway enable ')).toEqual(['ipsec', 'pptp', 'l2tp']);
    expect(complete('throughway disable --socket /x p')).toEqual(['pptp']);
    expect(complete('throughway disable --json p')).toEqual(['pptp']);
    expect(complete('throughway enable pptp ')).toEqual([]);
    expect(complete('throughway completion f')).toEqual(['fish']);
    expect(complete('throughway config ')).toEqual(['get', 'set', 'diff', 'history', 'restore']);
    expect(complete('throughway config get timeouts.vpn_u')).toEqual(['timeouts.vpn_udp_seconds']);
    expect(complete('throughway config set passthrough.')).toHaveLength(3);
    expect(complete('throughway explain vpn-r')).toEqual(['vpn-router']);
    expect(complete('throughway user re')).toEqual(['remove', 'reset-password']);
    expect(complete('throughway help down')).toEqual(['down']);
  });

  it('files where a file is wanted', () => {
    expect(complete('throughway check-config completion.t')).toEqual(['completion.test.ts', 'completion.ts']);
    expect(complete('throughway status --socket completion.te')).toEqual(['completion.test.ts']);
    expect(complete('throughway print-ruleset --wan-address ')).toEqual([]);
  });
});

describe('zsh and fish', () => {
  it('know every command and option', () => {
    for (const shell of ['zsh', 'fish'] as const) {
      const text = renderCompletion(shell, COMMANDS, NAMED);
      for (const command of COMMANDS) {
        expect(text).toContain(command.name);
        for (const option of command.options)
          expect(text).toContain(shell === 'zsh' ? `'--${option.name}[` : `-l ${option.name} `);
      }
    }
  });

  for (const [shell, args] of [
    ['zsh', ['-n']],
    ['fish', ['--no-execute']],
  ] as const)
    it.skipIf(spawnSync(shell, ['--version']).error !== undefined)(`${shell} can read it`, () => {
      const folder = mkdtempSync(join(tmpdir(), 'throughway-'));
      try {
        writeFileSync(join(folder, 'completion'), renderCompletion(shell, COMMANDS, NAMED));
        const ran = spawnSync(shell, [...args, join(folder, 'completion')], { encoding: 'utf8' });
        expect([ran.status, ran.stderr]).toEqual([0, '']);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    });
});
