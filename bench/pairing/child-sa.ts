// One pair of ESP security associations, as its two ends know it.

export interface ChildSa {
  readonly device: number;
  /** The device sends on it; chosen by the server. */
  readonly spiOut: number;
  /** The server sends on it; chosen by the device. */
  readonly spiIn: number;
  /** Since when each end may send, and receives. */
  deviceReady: boolean;
  serverReady: boolean;
  sentOut: number;
  sentIn: number;
  endedAt: number | null;
}
