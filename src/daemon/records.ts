// Everything the daemon remembers: the journal and what is built on it, opened together and closed in
// the right order. The gateway works without any of it.
import { join } from 'node:path';
import type { SwitchName, SessionRecord } from '../core/alg/session-record.ts';
import { PROTOCOLS, type Config } from '../core/config/schema.ts';
import { REFRESH_EVERY } from '../core/policy/esp.ts';
import type { SystemLink } from '../linux/links.ts';
import { Devices } from './devices.ts';
import { EventLog } from './event-log.ts';
import { Journal } from './journal.ts';
import type { Log } from './log.ts';
import { ServerNames } from './reverse-dns.ts';
import { SessionFeed } from './session-feed.ts';
import { Sessions, type Released } from './sessions.ts';
import { TrafficRecorder } from './traffic-recorder.ts';
import type { Trace } from './trace.ts';

export interface RecordsOptions {
  readonly folder: string;
  readonly log: Log;
  readonly trace: Trace | null;
  readonly onTrouble: (sentence: string | null) => void;
  readonly lanLinks: () => readonly SystemLink[];
  readonly release: (session: SessionRecord) => Promise<Released>;
}

export interface Records {
  readonly events: EventLog;
  readonly devices: Devices;
  readonly sessions: Sessions;
  readonly feed: SessionFeed;
  readonly traffic: TrafficRecorder;
  /** A configuration is in force. */
  follow(config: Config): void;
  close(): void;
}

const noIdle = 0;

export function openRecords({ folder, log, trace, onTrouble, lanLinks, release }: RecordsOptions): Records {
  let sessions: Sessions | null = null;
  const journal = new Journal({
    path: join(folder, 'journal.sqlite'),
    onTrouble,
    live: () => sessions?.kept() ?? [],
  });
  const events = new EventLog(journal);
  const devices = new Devices({ journal, log, lanLinks });
  const serverNames = new ServerNames();
  const kept = new Sessions({
    journal,
    devices,
    serverName: (address) => serverNames.nameOf(address),
    events,
    log,
    trace,
    espIdleMs: noIdle,
    release,
  });
  sessions = kept;
  const traffic = new TrafficRecorder({ path: join(folder, 'traffic.json'), log, list: () => kept.list() });
  return {
    events,
    devices,
    sessions: kept,
    feed: new SessionFeed(() => kept.list()),
    traffic,
    follow: (config) => {
      devices.follow(config.names);
      serverNames.isOn = config.names.server_names === 'enabled';
      kept.espIdleMs = config.timeouts.esp_seconds * REFRESH_EVERY * 1000;
      kept.switch(PROTOCOLS.filter((one): one is SwitchName => config.passthrough[one] === 'disabled'));
    },
    close: () => {
      serverNames.isOn = false;
      traffic.close();
      kept.close();
      devices.close();
      journal.close();
      trace?.close();
    },
  };
}
