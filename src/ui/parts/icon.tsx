// The pages' few drawings: 16 by 16, in the text's colour, always beside a word that says the same.
const PATHS = {
  overview: 'M2.5 9.5a5.5 5.5 0 0 1 11 0M8 9.5l2.2-3M2.5 12.5h11',
  shield: 'M8 1.8 13 3.6v4.2c0 3-2 5.2-5 6.4-3-1.2-5-3.4-5-6.4V3.6zM5.8 8l1.6 1.6 2.9-3',
  sessions: 'M2 5h8.5M8 2.5 10.5 5 8 7.5M14 11H5.5M8 8.5 5.5 11 8 13.5',
  devices: 'M2.5 3.5h8v6h-8zM1.5 11.8h7M10.5 6.5h3.5v6h-3.5',
  events: 'M3 3.5h1M6.5 3.5H13M3 8h1M6.5 8H13M3 12.5h1M6.5 12.5H13',
  diagnosis: 'M1.5 8.5h3l1.8-5 3 9 1.9-5.5.9 1.5h2.4',
  network: 'M6 2.5h4v3.5H6zM1.5 10.5h4V14h-4zM10.5 10.5h4V14h-4zM8 6v2.2M3.5 10.5V8.2h9v2.3',
  person: 'M8 8a2.8 2.8 0 1 0 0-5.6A2.8 2.8 0 0 0 8 8M2.8 14c.4-2.6 2.4-4 5.2-4s4.8 1.4 5.2 4',
  key: 'M10.3 9.2a3.5 3.5 0 1 0-3.4-2.7L2 11.4V14h2.6v-1.7h1.7v-1.7h1.2l1.2-1.5M11 5h.01',
  certificate: 'M3 2.5h10v7.5h-4M3 10h2M5.5 5.2h5M8.9 12.2a2 2 0 1 1-4 0 2 2 0 0 1 4 0M6 14.5v.8M8 14.5v.8',
  backup: 'M8 2v7M5 6.2 8 9.2l3-3M2.5 10.5v3h11v-3',
  history: 'M2.6 8a5.4 5.4 0 1 0 1.7-3.9L2.5 5.8M2.5 2.6v3.2h3.2M8 5v3.2l2.2 1.3',
  appearance: 'M8 2.2a5.8 5.8 0 1 0 0 11.6zM8 2.2a5.8 5.8 0 0 1 0 11.6',
  about: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12M8 7.2v3.6M8 5h.01',
  warn: 'M8 2.2 14.4 13.4H1.6zM8 6.3v3.4M8 11.6h.01',
  bad: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12M5.8 5.8l4.4 4.4M10.2 5.8l-4.4 4.4',
  good: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12M5.3 8.2l1.9 1.9 3.6-3.9',
  menu: 'M2.5 4.5h11M2.5 8h11M2.5 11.5h11',
  close: 'M3.5 3.5l9 9M12.5 3.5l-9 9',
  up: 'M8 13V3M4 7l4-4 4 4',
  down: 'M8 3v10M4 9l4 4 4-4',
  edit: 'M10.5 2.8l2.7 2.7L5.6 13H3v-2.6z',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      stroke-width="1.4"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
