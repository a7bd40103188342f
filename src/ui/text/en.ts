// The texts of the first view, in English: what is around every page, the overview, the log-in. The rest
// is in en-pages.ts, loaded beside the page that shows it. The keys are the type of every other language's
// catalogue. `{name}` is filled in; `NAME.one` and `NAME.other` are chosen by a number.
import type { PagesTextKey } from './en-pages.ts';

export const en = {
  'nav.overview': 'Overview',
  'nav.sessions': 'Sessions',
  'nav.devices': 'Devices',
  'nav.events': 'Events',
  'nav.security': 'Security',
  'nav.passthrough': 'VPN Passthrough',
  'nav.settings': 'Settings',
  'nav.network': 'Network',
  'nav.administration': 'Administration',
  'nav.users': 'Users',
  'nav.tokens': 'API tokens',
  'nav.certificate': 'Certificate',
  'nav.backup': 'Backup',
  'nav.history': 'History',
  'nav.appearance': 'Appearance',
  'nav.about': 'About',

  'frame.skip': 'Skip to the content',
  'frame.menu': 'Menu',
  'frame.navigation': 'Pages',
  'frame.manual': 'Manual',
  'frame.logOut': 'Log out',

  'action.close': 'Close',

  'word.enabled': 'Enabled',
  'word.disabled': 'Disabled',
  'word.loading': 'Loading …',

  'time.now': 'just now',
  'time.days': '{days} d {hours} h',

  'error.unreachable':
    'The gateway does not answer. Connections through it go on all the same; this page tries again by itself.',
  'error.strange': 'What answered is not Throughway (status {status}). Reload the page and try again.',
  'error.outdated':
    'This part of the page could not be loaded; the gateway may have been updated. Reload the page.',
  'error.noPage': 'There is no such page',
  'error.noPageHelp': 'The address leads nowhere. Choose a page from the navigation.',

  'health.ok': 'Everything works',
  'health.attention': 'Needs attention',

  'link.up': 'up',
  'link.down': 'down',
  'link.missing': 'missing',

  'overview.wan': 'WAN {name}',
  'overview.noAddress': 'has no address',
  'overview.since': 'Started',
  'overview.attention': 'What needs attention',
  'overview.troubled': 'Sessions in trouble',
  'overview.byProtocol': 'Passing now, by protocol',
  'overview.byDevice': 'Passing now, by device',
  'overview.allDevices': 'All devices',
  'overview.carried': 'Carried',
  'overview.traffic': 'Traffic',
  'overview.drops': 'Refused and dropped',
  'overview.dropsLead': 'Counted since the rules were made. Each line says why.',
  'overview.reason': 'Reason',

  'chart.span': 'Time shown',
  'chart.hour': 'Last hour',
  'chart.day': 'Last day',
  'chart.others': 'Others',
  'chart.figures': 'The figures as a table',
  'chart.nothing': 'Nothing has passed in this time.',

  'state.negotiating': 'Negotiating',
  'state.up': 'Up',
  'state.idle': 'Idle',
  'state.blocked': 'Blocked',
  'state.failing': 'Failing',
  'state.ended': 'Ended',

  'sessions.device': 'Device',
  'sessions.protocol': 'Protocol',
  'sessions.out': 'Sent',
  'sessions.in': 'Received',
  'sessions.count.one': '{count} session',
  'sessions.count.other': '{count} sessions',
  'sessions.none': 'No VPN session at the moment.',

  'session.heading': '{device} to {server}',
  'session.packets': 'Packets',

  'events.at': 'Time',

  'passthrough.more.one': 'and {count} more',
  'passthrough.more.other': 'and {count} more',

  'error.unknown': 'Something went wrong in this page. Reload it.',

  'login.title': 'Log in',
  'login.name': 'User name',
  'login.password': 'Password',
  'login.code': 'Code',
  'login.codeHint': 'Six digits from your authenticator, or one of your recovery codes.',
  'login.enter': 'Log in',
  'login.other': 'As somebody else',
  'login.ended': 'Your log-in has ended. Log in again, and you are back where you were.',
  'login.locked': 'Too many failed attempts, so logging in is locked for a while.',
  'login.lockedFor': 'It opens again in {time}.',

  'countdown.title': 'Do you still reach this page?',
  'countdown.text':
    'The change is in force on probation, since it could cut you off. Keep it, or it goes back by itself.',
  'countdown.elsewhere':
    'If these pages have moved, open the new address and keep the change there. Else wait.',
  'countdown.left': 'Goes back in {time}',
  'countdown.said.one': '{count} second left',
  'countdown.said.other': '{count} seconds left',
  'countdown.keep': 'Keep the change',
  'countdown.revert': 'Go back now',
  'countdown.kept': 'The change is kept.',
  'countdown.reverted': 'The change was taken back; the configuration before it is in force.',

  'nav.diagnosis': 'Diagnosis',
} as const satisfies Record<string, string>;

export type FirstTextKey = keyof typeof en;
export type TextKey = FirstTextKey | PagesTextKey;
export type FirstCatalogue = Record<FirstTextKey, string>;
/** Keys that exist as `NAME.one` and `NAME.other`. */
export type CountKey = {
  [K in TextKey]: K extends `${infer Name}.one` ? Name : never;
}[TextKey];
