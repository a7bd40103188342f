// The table of pages: address, name, drawing, and the code, which is loaded when the page is opened.
import type { ComponentType } from 'preact';
import type { IconName } from './parts/icon.tsx';
import type { TextKey } from './text/text.ts';

export interface PageEntry {
  readonly path: string;
  readonly title: TextKey;
  readonly icon: IconName;
  readonly group?: TextKey;
  readonly load: () => Promise<ComponentType>;
}

export const PAGES: readonly PageEntry[] = [
  {
    path: '/',
    title: 'nav.overview',
    icon: 'overview',
    load: async () => (await import('./pages/overview.tsx')).OverviewPage,
  },
  {
    path: '/sessions',
    title: 'nav.sessions',
    icon: 'sessions',
    load: async () => (await import('./pages/sessions.tsx')).SessionsPage,
  },
  {
    path: '/devices',
    title: 'nav.devices',
    icon: 'devices',
    load: async () => (await import('./pages/devices.tsx')).DevicesPage,
  },
  {
    path: '/events',
    title: 'nav.events',
    icon: 'events',
    load: async () => (await import('./pages/events.tsx')).EventsPage,
  },
  {
    path: '/security/vpn-passthrough',
    title: 'nav.passthrough',
    icon: 'shield',
    group: 'nav.security',
    load: async () => (await import('./pages/passthrough.tsx')).PassthroughPage,
  },
  {
    path: '/administration/appearance',
    title: 'nav.appearance',
    icon: 'appearance',
    group: 'nav.administration',
    load: async () => (await import('./pages/appearance.tsx')).AppearancePage,
  },
  {
    path: '/administration/about',
    title: 'nav.about',
    icon: 'about',
    group: 'nav.administration',
    load: async () => (await import('./pages/about.tsx')).AboutPage,
  },
];

const SESSION: PageEntry = {
  path: '/sessions/',
  title: 'nav.sessions',
  icon: 'sessions',
  load: async () => (await import('./pages/session.tsx')).SessionPage,
};

/** The page at an address, or undefined. */
export function pageAt(path: string): PageEntry | undefined {
  if (path.startsWith('/sessions/') && path.length > '/sessions/'.length) return SESSION;
  const plain = path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
  if (plain === '/security') return PAGES.find((one) => one.path === '/security/vpn-passthrough');
  if (plain === '/administration') return PAGES.find((one) => one.path === '/administration/users');
  return PAGES.find((one) => one.path === plain);
}
