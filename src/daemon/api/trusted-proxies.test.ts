import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ServedApi } from './served-api.ts';

const PROXY = '192.168.1.2';
const PASSWORD = 'correct horse battery';

let served: ServedApi;
beforeEach(async () => {
  served = new ServedApi({ trustedProxies: [PROXY] });
  await served.accounts.add('admin', PASSWORD);
});
afterEach(() => served.close());

const FORWARDED = {
  'x-forwarded-for': '192.168.1.77',
  'x-forwarded-proto': 'https',
  'x-forwarded-host': 'gateway.lan',
};
const logIn = (password: string, remoteAddress: string, headers: Record<string, string>) =>
  served.ask({
    method: 'POST',
    url: '/api/v1/login',
    body: { name: 'admin', password },
    headers,
    remoteAddress,
  });

describe('what a proxy says of who is behind it', () => {
  it('is believed of one that is trusted: address, scheme and name', async () => {
    const { statusCode, headers } = await logIn(PASSWORD, PROXY, {
      ...FORWARDED,
      origin: 'https://gateway.lan',
    });
    expect(statusCode).toBe(200);
    expect(headers['set-cookie']).toMatch(/^__Host-throughway=.*; Secure$/);
    expect(served.keys.logins(null)[0]!.address).toBe('192.168.1.77');
  });

  it('and a name that is not ours is refused all the same', async () => {
    const answer = await logIn(PASSWORD, PROXY, { ...FORWARDED, 'x-forwarded-host': 'evil.example' });
    expect(answer.json()).toMatchObject({ code: 'wrong-host' });
  });

  it('is believed of nobody else, so that nobody hides from the lock-out behind made-up addresses', async () => {
    const codes: string[] = [];
    for (let count = 0; count < 6; count += 1) {
      const { headers, body } = await logIn('wrong', '192.168.1.11', {
        ...FORWARDED,
        'x-forwarded-for': `192.168.1.${100 + count}`,
        origin: 'http://192.168.1.1',
      });
      expect(headers['set-cookie']).toBeUndefined();
      codes.push((JSON.parse(body) as { code: string }).code);
    }
    expect(codes).toEqual([...Array<string>(5).fill('login-failed'), 'locked-out']);
    await served.accounts.setPassword('admin', PASSWORD, null, false);
    const { headers } = await logIn(PASSWORD, '192.168.1.11', {
      ...FORWARDED,
      origin: 'http://192.168.1.1',
    });
    expect(headers['set-cookie']).toMatch(/^throughway=/);
    expect(served.keys.logins(null)[0]!.address).toBe('192.168.1.11');
  });
});
