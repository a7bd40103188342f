// Finds the PPTP control messages in a TCP byte stream, however it was cut into segments. A stream
// that is out of step stays lost, since peers close the connection then too; holds back no more
// than one message. Segments must come in order and without gaps. RFC 2637 2.

import { WireError, Writer } from './bytes.ts';
import { parsePptp, PPTP_PREFIX_BYTES, pptpMessageLength, type PptpMessage } from './pptp.ts';

/** One direction of a control connection. */
export interface PptpStream {
  /** The messages that `chunk` completes, in order; none once the stream is lost. */
  push(chunk: Uint8Array): PptpMessage[];
  /** Why nothing more can be read, or null; `at` counts from the beginning of the bad message. */
  readonly lost: WireError | null;
}

/** A stream at the beginning of a message. */
export function createPptpStream(): PptpStream {
  let pending: Uint8Array = new Uint8Array();
  let lost: WireError | null = null;

  function take(): PptpMessage | null {
    if (pending.length < PPTP_PREFIX_BYTES) return null;
    const length = pptpMessageLength(pending);
    if (pending.length < length) return null;
    const message = parsePptp(pending);
    pending = pending.subarray(length);
    return message;
  }

  return {
    get lost() {
      return lost;
    },
    push(chunk) {
      const messages: PptpMessage[] = [];
      if (lost) return messages;
      pending = new Writer(pending.length + chunk.length).put(pending).put(chunk).bytes;
      try {
        for (let message = take(); message; message = take()) messages.push(message);
      } catch (error) {
        if (!(error instanceof WireError)) throw error;
        lost = error;
        pending = new Uint8Array();
      }
      return messages;
    },
  };
}
