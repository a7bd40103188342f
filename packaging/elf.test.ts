import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { stripElf } from './elf.ts';

it('a stripped Node still runs, is smaller, and has no symbols left to strip', () => {
  const folder = mkdtempSync(join(tmpdir(), 'throughway-'));
  try {
    const stripped = stripElf(readFileSync(process.execPath));
    const path = join(folder, 'node');
    writeFileSync(path, stripped);
    chmodSync(path, 0o755);
    expect(execFileSync(path, ['--print', '[process.version, 6 * 7].join()'], { encoding: 'utf8' })).toBe(
      `${process.version},42\n`,
    );
    expect(statSync(path).size).toBeLessThan(statSync(process.execPath).size);
    expect(stripElf(stripped).equals(stripped)).toBe(true);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

it('refuses what is no such file', () => {
  expect(() => stripElf(Buffer.from('#!/bin/sh\n'))).toThrow('not a 64-bit little-endian ELF file');
  expect(() => stripElf(Buffer.alloc(64))).toThrow('not a 64-bit little-endian ELF file');
});
