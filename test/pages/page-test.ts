// A test of the pages: its name is a sentence, and it fails by throwing.
import type { Browser } from 'playwright-core';

export interface PageTest {
  readonly name: string;
  play(browser: Browser): Promise<void>;
}
