// The texts of the first view, in German.
import type { FirstCatalogue } from './en.ts';

export const de: FirstCatalogue = {
  'nav.overview': 'Übersicht',
  'nav.sessions': 'Sitzungen',
  'nav.devices': 'Geräte',
  'nav.events': 'Ereignisse',
  'nav.security': 'Sicherheit',
  'nav.passthrough': 'VPN-Passthrough',
  'nav.settings': 'Einstellungen',
  'nav.network': 'Netzwerk',
  'nav.administration': 'Verwaltung',
  'nav.users': 'Benutzer',
  'nav.tokens': 'API-Schlüssel',
  'nav.certificate': 'Zertifikat',
  'nav.backup': 'Sicherung',
  'nav.history': 'Verlauf',
  'nav.appearance': 'Darstellung',
  'nav.about': 'Über',

  'frame.skip': 'Zum Inhalt springen',
  'frame.menu': 'Menü',
  'frame.navigation': 'Seiten',
  'frame.manual': 'Handbuch',
  'frame.logOut': 'Abmelden',

  'action.close': 'Schließen',

  'word.enabled': 'Aktiviert',
  'word.disabled': 'Deaktiviert',
  'word.loading': 'Wird geladen …',

  'time.now': 'gerade eben',
  'time.days': '{days} T {hours} Std',

  'error.unreachable':
    'Das Gateway antwortet nicht. Verbindungen laufen trotzdem weiter; diese Seite versucht es von selbst erneut.',
  'error.strange':
    'Die Antwort kam nicht von Throughway (Status {status}). Laden Sie die Seite neu und versuchen Sie es noch einmal.',
  'error.outdated':
    'Dieser Teil der Seite ließ sich nicht laden; vielleicht wurde das Gateway aktualisiert. Laden Sie die Seite neu.',
  'error.noPage': 'Diese Seite gibt es nicht',
  'error.noPageHelp': 'Die Adresse führt nirgendwohin. Wählen Sie eine Seite aus der Navigation.',

  'health.ok': 'Alles funktioniert',
  'health.attention': 'Braucht Aufmerksamkeit',

  'link.up': 'verbunden',
  'link.down': 'getrennt',
  'link.missing': 'nicht vorhanden',

  'overview.wan': 'WAN {name}',
  'overview.noAddress': 'hat keine Adresse',
  'overview.since': 'Gestartet',
  'overview.attention': 'Was Aufmerksamkeit braucht',
  'overview.troubled': 'Sitzungen mit Problemen',
  'overview.byProtocol': 'Aktuell nach Protokoll',
  'overview.byDevice': 'Aktuell nach Gerät',
  'overview.allDevices': 'Alle Geräte',
  'overview.carried': 'Übertragen',
  'overview.traffic': 'Datenverkehr',
  'overview.drops': 'Abgewiesen und verworfen',
  'overview.dropsLead': 'Gezählt, seit die Regeln erstellt wurden. Jede Zeile nennt den Grund.',
  'overview.reason': 'Grund',

  'chart.span': 'Gezeigter Zeitraum',
  'chart.hour': 'Letzte Stunde',
  'chart.day': 'Letzter Tag',
  'chart.others': 'Andere',
  'chart.figures': 'Die Zahlen als Tabelle',
  'chart.nothing': 'In dieser Zeit ist nichts durchgelaufen.',

  'state.negotiating': 'Handelt aus',
  'state.up': 'Verbunden',
  'state.idle': 'Ruht',
  'state.blocked': 'Gesperrt',
  'state.failing': 'Gestört',
  'state.ended': 'Beendet',

  'sessions.device': 'Gerät',
  'sessions.protocol': 'Protokoll',
  'sessions.out': 'Gesendet',
  'sessions.in': 'Empfangen',
  'sessions.count.one': '{count} Sitzung',
  'sessions.count.other': '{count} Sitzungen',
  'sessions.none': 'Zurzeit keine VPN-Sitzung.',

  'session.heading': '{device} zu {server}',
  'session.packets': 'Pakete',

  'events.at': 'Zeit',

  'passthrough.more.one': 'und {count} weitere',
  'passthrough.more.other': 'und {count} weitere',

  'error.unknown': 'In dieser Seite ist etwas schiefgegangen. Laden Sie sie neu.',

  'login.title': 'Anmelden',
  'login.name': 'Benutzername',
  'login.password': 'Passwort',
  'login.code': 'Code',
  'login.codeHint': 'Sechs Ziffern aus Ihrer Authenticator-App oder einer Ihrer Wiederherstellungscodes.',
  'login.enter': 'Anmelden',
  'login.other': 'Als jemand anderes',
  'login.ended': 'Ihre Anmeldung ist zu Ende. Melden Sie sich wieder an, dann sind Sie, wo Sie waren.',
  'login.locked': 'Zu viele Fehlversuche; die Anmeldung ist deshalb eine Weile gesperrt.',
  'login.lockedFor': 'Sie öffnet sich wieder in {time}.',

  'countdown.title': 'Erreichen Sie diese Seite noch?',
  'countdown.text':
    'Die Änderung gilt auf Probe, denn sie könnte Sie aussperren. Behalten Sie sie, sonst wird sie von selbst zurückgenommen.',
  'countdown.elsewhere':
    'Wenn diese Seiten umgezogen sind, öffnen Sie die neue Adresse und behalten Sie die Änderung dort. Sonst warten Sie.',
  'countdown.left': 'Wird zurückgenommen in {time}',
  'countdown.said.one': 'Noch {count} Sekunde',
  'countdown.said.other': 'Noch {count} Sekunden',
  'countdown.keep': 'Änderung behalten',
  'countdown.revert': 'Sofort zurücknehmen',
  'countdown.kept': 'Die Änderung bleibt.',
  'countdown.reverted': 'Die Änderung wurde zurückgenommen; es gilt wieder die vorige Konfiguration.',

  'nav.diagnosis': 'Diagnose',
};
