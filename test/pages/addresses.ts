// Every page there is, for the tests and the screenshots that visit them all.
export const ADDRESSES = {
  overview: '/',
  sessions: '/sessions',
  devices: '/devices',
  events: '/events',
  diagnosis: '/diagnosis',
  passthrough: '/security/vpn-passthrough',
  network: '/network',
  users: '/administration/users',
  tokens: '/administration/tokens',
  certificate: '/administration/certificate',
  backup: '/administration/backup',
  history: '/administration/history',
  appearance: '/administration/appearance',
  about: '/administration/about',
} as const;
