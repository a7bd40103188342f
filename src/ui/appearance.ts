// Theme and language: the reader's own, kept in this browser and never sent. Without a choice, the
// system's theme and the browser's language hold. public/appearance.js applies the theme at once.
import { signal } from '@preact/signals';

export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

export const LANGUAGES = ['en', 'de'] as const;
export type Language = (typeof LANGUAGES)[number];

const THEME_KEY = 'throughway.theme';
const LANGUAGE_KEY = 'throughway.language';

function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function write(key: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // Storage is forbidden: the choice holds until the page is closed.
  }
}

export const theme = signal<Theme>(THEMES.find((one) => one === read(THEME_KEY)) ?? 'system');

export function setTheme(next: Theme): void {
  theme.value = next;
  write(THEME_KEY, next === 'system' ? null : next);
  if (next === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = next;
}

/** `null`: as the browser says. */
export const chosenLanguage = signal<Language | null>(
  LANGUAGES.find((one) => one === read(LANGUAGE_KEY)) ?? null,
);

export function languageInUse(): Language {
  if (chosenLanguage.value) return chosenLanguage.value;
  for (const wanted of navigator.languages) {
    const found = LANGUAGES.find((one) => wanted.toLowerCase().startsWith(one));
    if (found) return found;
  }
  return 'en';
}

export function keepLanguage(next: Language | null): void {
  chosenLanguage.value = next;
  write(LANGUAGE_KEY, next);
}
