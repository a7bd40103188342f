import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { renderTopic, renderTopicsMarkdown, TOPICS } from './topics.ts';

describe('the advice', () => {
  it.each(TOPICS.map((topic) => [topic.name, topic] as const))(
    '%s fits a narrow and a wide terminal',
    (_name, topic) => {
      for (const width of [40, 80]) {
        const lines = renderTopic(topic, width).split('\n');
        expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(width);
        const words = lines.join(' ').replaceAll(/\s+/g, ' ');
        for (const one of topic.paragraphs.flat()) expect(words).toContain(one);
      }
    },
  );

  it('stands in the manual word for word', () => {
    const manual = readFileSync(new URL('../../../docs/advice.md', import.meta.url), 'utf8');
    expect(manual).toBe(renderTopicsMarkdown());
  });
});
