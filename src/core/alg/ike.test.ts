import { describe, expect, it } from 'vitest';
import type { IkeSeen } from './fact.ts';
import { IkeTracker, type IkeNews } from './ike.ts';
import { parseFact } from './transcript.ts';

/** One message of device 11 at one server, as in a transcript. */
function seen(from: 'lan' | 'wan', words: string, client: string | null = '192.168.1.11'): IkeSeen {
  const who = client === null ? '' : `client=${client} `;
  return parseFact(`ike from=${from} ${who}server=203.0.113.5 port=500 message=${words}`) as IkeSeen;
}

const step = (news: IkeNews): string | null => (news?.kind === 'exchange' ? news.step : (news?.kind ?? null));

describe('an exchange of version 2', () => {
  const request = 'v2.0,createChildSa,id:3,spis:1-2,flags:initiator,next:46,length:300';
  const answer = 'v2.0,createChildSa,id:3,spis:1-2,flags:response,next:46,length:280';

  it('is asked, repeated and answered', () => {
    const tracker = new IkeTracker();
    expect(step(tracker.hear(seen('lan', request), 1000))).toBe('asked');
    expect(step(tracker.hear(seen('lan', request), 5000))).toBe('another');
    const news = tracker.hear(seen('wan', answer), 5040);
    expect(news).toMatchObject({
      step: 'answered',
      exchange: { by: 'lan', askedAt: 1000, answeredAt: 5040, repeated: true, confirmedAt: null },
    });
  });

  it('with the same message id from the other side is another one', () => {
    const tracker = new IkeTracker();
    tracker.hear(seen('lan', request), 1000);
    const news = tracker.hear(seen('wan', 'v2.0,createChildSa,id:3,spis:1-2,next:46,length:300'), 1010);
    expect(news).toMatchObject({ step: 'asked', exchange: { by: 'wan' } });
  });
});

describe('Quick Mode', () => {
  const [first, third] = [
    'v1.0,quickMode,id:7,spis:1-2,flags:encryption,next:8,length:200',
    'v1.0,quickMode,id:7,spis:1-2,flags:encryption,next:8,length:60',
  ];

  it('has a third message, which is shorter than the first', () => {
    const tracker = new IkeTracker();
    expect(step(tracker.hear(seen('lan', first), 0))).toBe('asked');
    expect(step(tracker.hear(seen('wan', first), 40))).toBe('answered');
    expect(step(tracker.hear(seen('lan', first), 500))).toBe('another');
    expect(step(tracker.hear(seen('lan', third), 540))).toBe('confirmed');
  });

  it('knows which exchange was let through', () => {
    const tracker = new IkeTracker();
    expect(tracker.isUnderWay(seen('lan', first))).toBe(false);
    tracker.hear(seen('lan', first), 0);
    expect(tracker.isUnderWay(seen('wan', third))).toBe(true);
  });
});

describe('an IKE SA', () => {
  it('tells the device of a message that shows none', () => {
    const tracker = new IkeTracker();
    const message = 'v2.0,ikeSaInit,id:0,spis:a-0,flags:initiator,next:33,length:400';
    expect(tracker.clientOf(seen('wan', message, null))).toBeNull();
    tracker.hear(seen('lan', message), 0);
    expect(tracker.clientOf(seen('wan', message, null))).toBe('192.168.1.11');
  });

  it('that was renewed is noticed by SPIs that no IKE_SA_INIT made', () => {
    const tracker = new IkeTracker();
    const moved = 'v2.0,informational,id:0,spis:c-d,flags:initiator,next:46,length:76';
    expect(tracker.hear(seen('lan', moved), 0)).toMatchObject({ kind: 'renewed', client: '192.168.1.11' });
    expect(tracker.hear(seen('lan', moved), 10)).toBeNull();
  });
});

describe('its tables', () => {
  const init = (spi: number): string =>
    `v2.0,ikeSaInit,id:0,spis:${spi.toString(16)}-0,flags:initiator,next:33,length:400`;

  it('hold 64 IKE SAs of a device, those used last', () => {
    const tracker = new IkeTracker();
    for (let spi = 1; spi <= 100; spi += 1) tracker.hear(seen('lan', init(spi)), spi);
    expect(tracker.size).toBe(64);
    expect(tracker.clientOf(seen('wan', init(36), null))).toBeNull();
    expect(tracker.clientOf(seen('wan', init(37), null))).toBe('192.168.1.11');
  });

  it('are bounded in all, and what was never answered goes first', () => {
    const tracker = new IkeTracker();
    tracker.hear(seen('lan', init(1)), 0);
    tracker.hear(seen('wan', init(1)), 1);
    for (let host = 0; host < 300; host += 1) {
      const client = `10.0.${host >> 8}.${host & 255}`;
      for (let spi = 2; spi <= 64; spi += 1) tracker.hear(seen('lan', init(host * 64 + spi), client), 2);
    }
    expect(tracker.size).toBe(16_384);
    expect(tracker.clientOf(seen('wan', init(1), null))).toBe('192.168.1.11');
  });
});
