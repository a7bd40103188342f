import { describe, expect, it } from 'vitest';
import { hotp, makeTotpSecret, totpUri, verifyTotp } from './totp.ts';

/** RFC 4226 appendix D and RFC 6238 appendix B have the same key. */
const KEY = Buffer.from('12345678901234567890');
const SECRET = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';

describe('codes', () => {
  it('are those of RFC 4226 appendix D', () => {
    expect(Array.from({ length: 10 }, (_, counter) => hotp(KEY, counter))).toEqual([
      '755224',
      '287082',
      '359152',
      '969429',
      '338314',
      '254676',
      '287922',
      '162583',
      '399871',
      '520489',
    ]);
  });

  it.each([
    [59, '287082'],
    [1_111_111_109, '081804'],
    [1_111_111_111, '050471'],
    [1_234_567_890, '005924'],
    [2_000_000_000, '279037'],
    [20_000_000_000, '353130'],
  ])('are those of RFC 6238 appendix B at %i seconds', (seconds, code) => {
    expect(verifyTotp(code, SECRET, seconds * 1000, 0)).toBe(Math.floor(seconds / 30));
  });

  it('count one step before and after, once, and only whole', () => {
    const at = 59_000;
    expect(verifyTotp(hotp(KEY, 0), SECRET, at, -1)).toBe(0);
    expect(verifyTotp(hotp(KEY, 2), SECRET, at, 0)).toBe(2);
    expect(verifyTotp(hotp(KEY, 3), SECRET, at, 0)).toBeNull();
    expect(verifyTotp(hotp(KEY, 1), SECRET, at, 1)).toBeNull();
    expect(verifyTotp('287 082', SECRET, at, 0)).toBe(1);
    for (const typed of ['', '28708', '2870822', 'abcdef', '２８７０８２'])
      expect(verifyTotp(typed, SECRET, at, 0)).toBeNull();
  });

  it('a made secret has 160 bits, and its address is what authenticators read', () => {
    const secret = makeTotpSecret();
    expect(secret).toMatch(/^[A-Z2-7]{32}$/);
    expect(totpUri('a b', secret, 'Throughway home')).toBe(
      `otpauth://totp/Throughway%20home:a%20b?secret=${secret}&issuer=Throughway%20home`,
    );
  });
});
