// The table of pages: address, name, drawing, and the code, which is loaded when the page is opened.
import type { ComponentType } from 'preact';
import type { IconName } from './parts/icon.tsx';
import { loadPagesTexts, type TextKey } from './text/text.ts';

export interface PageEntry {
  readonly path: string;
  readonly title: TextKey;
  readonly icon: IconName;
  readonly group?: TextKey;
  readonly load: () => Promise<ComponentType>;
}

/** The texts of every page but the first come beside its code. */
export function withTexts(load: PageEntry['load']): PageEntry['load'] {
  return async () => (await Promise.all([load(), loadPagesTexts()]))[0];
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
    load: withTexts(async () => (await import('./pages/sessions.tsx')).SessionsPage),
  },
  {
    path: '/devices',
    title: 'nav.devices',
    icon: 'devices',
    load: withTexts(async () => (await import('./pages/devices.tsx')).DevicesPage),
  },
  {
    path: '/events',
    title: 'nav.events',
    icon: 'events',
    load: withTexts(async () => (await import('./pages/events.tsx')).EventsPage),
  },
  {
    path: '/diagnosis',
    title: 'nav.diagnosis',
    icon: 'diagnosis',
    load: withTexts(async () => (await import('./pages/diagnosis.tsx')).DiagnosisPage),
  },
  {
    path: '/security/vpn-passthrough',
    title: 'nav.passthrough',
    icon: 'shield',
    group: 'nav.security',
    load: withTexts(async () => (await import('./pages/passthrough.tsx')).PassthroughPage),
  },
  {
    path: '/network',
    title: 'nav.network',
    icon: 'network',
    group: 'nav.settings',
    load: withTexts(async () => (await import('./pages/network.tsx')).NetworkPage),
  },
  {
    path: '/administration/users',
    title: 'nav.users',
    icon: 'person',
    group: 'nav.administration',
    load: withTexts(async () => (await import('./pages/users.tsx')).UsersPage),
  },
  {
    path: '/administration/tokens',
    title: 'nav.tokens',
    icon: 'key',
    group: 'nav.administration',
    load: withTexts(async () => (await import('./pages/tokens.tsx')).TokensPage),
  },
  {
    path: '/administration/certificate',
    title: 'nav.certificate',
    icon: 'certificate',
    group: 'nav.administration',
    load: withTexts(async () => (await import('./pages/certificate.tsx')).CertificatePage),
  },
  {
    path: '/administration/backup',
    title: 'nav.backup',
    icon: 'backup',
    group: 'nav.administration',
    load: withTexts(async () => (await import('./pages/backup.tsx')).BackupPage),
  },
  {
    path: '/administration/history',
    title: 'nav.history',
    icon: 'history',
    group: 'nav.administration',
    load: withTexts(async () => (await import('./pages/history.tsx')).HistoryPage),
  },
  {
    path: '/administration/appearance',
    title: 'nav.appearance',
    icon: 'appearance',
    group: 'nav.administration',
    load: withTexts(async () => (await import('./pages/appearance.tsx')).AppearancePage),
  },
  {
    path: '/administration/about',
    title: 'nav.about',
    icon: 'about',
    group: 'nav.administration',
    load: withTexts(async () => (await import('./pages/about.tsx')).AboutPage),
  },
];

const SESSION: PageEntry = {
  path: '/sessions/',
  title: 'nav.sessions',
  icon: 'sessions',
  load: withTexts(async () => (await import('./pages/session.tsx')).SessionPage),
};

/** The page at an address, or undefined. */
export function pageAt(path: string): PageEntry | undefined {
  if (path.startsWith('/sessions/') && path.length > '/sessions/'.length) return SESSION;
  const plain = path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
  if (plain === '/security') return PAGES.find((one) => one.path === '/security/vpn-passthrough');
  if (plain === '/administration') return PAGES.find((one) => one.path === '/administration/users');
  return PAGES.find((one) => one.path === plain);
}
