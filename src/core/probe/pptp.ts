// PPTP: opens a control connection and one call, so that GRE can be tried, and takes both back.
// RFC 2637 2.1 to 2.4, 2.7, 2.8 and 2.12.
import { pptpCallResult, pptpStartResult, pptpStopReason } from '../alg/session-words.ts';
import { createPptpStream } from '../wire/pptp-stream.ts';
import { emitPptp, PPTP_OK, pptpCallRequest, pptpStartRequest, type PptpMessage } from '../wire/pptp.ts';
import { ended, type Attempt, type Probe, type RandomBytes, type Reaction } from './attempt.ts';

const STOP = emitPptp({ kind: 'stop-request', reason: 1 });

export const pptpProbe: Probe = {
  id: 'pptp',
  name: 'PPTP',
  transport: 'tcp',
  port: 1723,
  passthrough: 'pptp',
  begin: (random) => new PptpAttempt(random),
};

class PptpAttempt implements Attempt {
  readonly opening = emitPptp(pptpStartRequest());
  readonly #stream = createPptpStream();
  readonly #callId: number;

  constructor(random: RandomBytes) {
    const [high = 0, low = 1] = random(2);
    this.#callId = (high << 8) | low;
  }

  hear(bytes: Uint8Array): Reaction {
    for (const message of this.#stream.push(bytes)) {
      const reaction = this.#hearMessage(message);
      if (reaction !== null) return reaction;
    }
    const { lost } = this.#stream;
    return lost === null ? null : ended('other', `Something answered, but it is no PPTP (${lost.message}).`);
  }

  #hearMessage(message: PptpMessage): Reaction {
    if (message.kind === 'start-reply') {
      if (message.resultCode !== PPTP_OK) {
        const why = pptpStartResult(message.resultCode);
        return ended('refused', `The server refused a control connection: ${why}.`);
      }
      return { say: emitPptp(pptpCallRequest(this.#callId, 1)) };
    }
    if (message.kind === 'outgoing-call-reply') {
      if (message.resultCode !== PPTP_OK) {
        const why = pptpCallResult(message.resultCode);
        return ended('refused', `The server opened a control connection and refused a call: ${why}.`, STOP);
      }
      return {
        finding: { verdict: 'answered', detail: 'The server accepted a control connection and a call.' },
        farewell: STOP,
        gre: { ownCallId: this.#callId, sendCallId: message.callId },
      };
    }
    if (message.kind === 'stop-request') {
      return ended('refused', `The server ended the control connection: ${pptpStopReason(message.reason)}.`);
    }
    return null;
  }
}
