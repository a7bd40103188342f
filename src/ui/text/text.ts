// Texts in the reader's language. English is the catalogue that defines the keys; another language is a
// record with exactly these keys, loaded only when it is used. Each has two parts: what the first view
// needs, and what the other pages need, which comes beside their code. What the daemon says (problems,
// events, causes) comes in English and is shown as it is.
import { signal } from '@preact/signals';
import { keepLanguage, languageInUse, type Language } from '../appearance.ts';
import { en, type CountKey, type TextKey } from './en.ts';

export type { TextKey };

type Values = Readonly<Record<string, string | number>>;

type Texts = Partial<Record<TextKey, string>>;

/** What is loaded; English's first part is always there. */
const known: Record<Language, Texts> = { en, de: {} };

const PARTS: Readonly<Record<Language, Readonly<Record<'first' | 'pages', () => Promise<Texts>>>>> = {
  en: {
    first: () => Promise.resolve(en),
    pages: async () => (await import('./en-pages.ts')).enPages,
  },
  de: {
    first: async () => (await import('./de.ts')).de,
    pages: async () => (await import('./de-pages.ts')).dePages,
  },
};

const catalogue = signal<Texts>(en);
/** Whether a page is shown, or about to be, that needs more than the first part. */
let needsPages = false;
export const language = signal<Language>('en');

export function t(key: TextKey, values: Values = {}): string {
  return fill(catalogue.value[key] ?? key, values);
}

/** The text for a number of things, with `{count}` in the language's own notation. */
export function counted(name: CountKey, count: number, values: Values = {}): string {
  const form = new Intl.PluralRules(language.value).select(count) === 'one' ? 'one' : 'other';
  return t(`${name}.${form}` as TextKey, { count: formatNumber(count), ...values });
}

function fill(text: string, values: Values): string {
  return text.replaceAll(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** Resolves when the texts of the language in use are there; rejects when they cannot be loaded. */
export async function loadLanguage(): Promise<void> {
  const next = languageInUse();
  const { first, pages } = PARTS[next];
  const parts = await Promise.all([first(), ...(needsPages ? [pages()] : [])]);
  known[next] = Object.assign({}, known[next], ...parts) as Texts;
  // Another one may have been chosen meanwhile.
  if (next !== languageInUse()) return;
  catalogue.value = known[next];
  language.value = next;
  document.documentElement.lang = next;
}

/** For every page but the first, beside its code. */
export function loadPagesTexts(): Promise<void> {
  needsPages = true;
  return loadLanguage();
}

export async function setLanguage(next: Language | null): Promise<void> {
  keepLanguage(next);
  await loadLanguage();
}

export function formatNumber(value: number): string {
  return formats().number.format(value);
}

interface Formats {
  readonly language: Language;
  readonly number: Intl.NumberFormat;
  readonly decimal: Intl.NumberFormat;
  readonly time: Intl.DateTimeFormat;
  readonly dateTime: Intl.DateTimeFormat;
  readonly relative: Intl.RelativeTimeFormat;
}

let made: Formats | null = null;

/** Making a format costs more than using it a thousand times. */
function formats(): Formats {
  if (made?.language === language.value) return made;
  const locale = language.value === 'en' ? 'en-GB' : language.value;
  made = {
    language: language.value,
    number: new Intl.NumberFormat(locale),
    decimal: new Intl.NumberFormat(locale, { maximumSignificantDigits: 3 }),
    time: new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', second: '2-digit' }),
    dateTime: new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium' }),
    relative: new Intl.RelativeTimeFormat(locale, { numeric: 'always', style: 'short' }),
  };
  return made;
}

const BYTE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** Powers of 1000, as network speeds are given. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < BYTE_UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const text = unit === 0 ? formats().number.format(value) : formats().decimal.format(value);
  return `${text}\u00a0${BYTE_UNITS[unit]}`;
}

export function formatBits(bitsPerSecond: number): string {
  return `${formatBytes(bitsPerSecond).replace('B', 'bit')}/s`;
}

export function formatDateTime(at: string | number | Date): string {
  return formats().dateTime.format(new Date(at));
}

export function formatTime(at: string | number | Date): string {
  return formats().time.format(new Date(at));
}

const STEPS: readonly (readonly [Intl.RelativeTimeFormatUnit, number])[] = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
  ['second', 1],
];

/** "5 min ago"; a time to come reads "in 5 min". */
export function formatAgo(at: string, now: number): string {
  const seconds = Math.round((Date.parse(at) - now) / 1000);
  if (Math.abs(seconds) < 2) return t('time.now');
  const [unit, size] = STEPS.find(([, size]) => Math.abs(seconds) >= size)!;
  return formats().relative.format(Math.trunc(seconds / size), unit);
}

/** "1:05", "2:03:00" or "3 d 4 h": for countdowns and ages. */
export function formatSpan(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [days, hours] = [Math.floor(whole / 86_400), Math.floor((whole % 86_400) / 3600)];
  if (days > 0) return t('time.days', { days, hours });
  const [minutes, rest] = [Math.floor((whole % 3600) / 60), whole % 60];
  const two = (value: number): string => String(value).padStart(2, '0');
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}
