// What the codes of PPTP, L2TP and IKE mean, as the words of a person: RFC 2637 2.2 to 2.16, RFC 2661
// 4.4.2, RFC 2408 3.14.1, RFC 7296 3.10.1.
const unknown = (what: string, code: number): string => `${what} ${code}, which no standard names`;

/** RFC 2637 2.2. */
export function pptpStartResult(code: number): string {
  return (
    {
      2: 'a general error',
      3: 'a control connection exists already',
      4: 'this device is not authorized to connect',
      5: 'it does not speak this version of PPTP',
    }[code] ?? unknown('result', code)
  );
}

/** RFC 2637 2.8. */
export function pptpCallResult(code: number): string {
  return (
    {
      2: 'a general error',
      3: 'no carrier was found',
      4: 'the line is busy',
      5: 'there is no dial tone',
      6: 'the call was not set up in time',
      7: 'it does not accept the call: perhaps all its connections are taken',
    }[code] ?? unknown('result', code)
  );
}

/** RFC 2637 2.13. */
export function pptpDisconnectResult(code: number): string {
  return (
    {
      1: 'the carrier was lost',
      2: 'a general error',
      3: 'it was closed by the administrator',
      4: 'the device asked for it',
    }[code] ?? unknown('result', code)
  );
}

/** RFC 2637 2.16; empty for no error. */
export function pptpError(code: number): string {
  if (code === 0) return '';
  return (
    {
      1: 'no control connection exists for this pair',
      2: 'a length or a magic cookie is wrong',
      3: 'a field is out of range or a reserved field is not zero',
      4: 'it has no room for this now',
      5: 'the Call ID is not valid here',
      6: "an error of the vendor's own",
    }[code] ?? unknown('error', code)
  );
}

/** RFC 2637 2.3. */
export function pptpStopReason(code: number): string {
  return (
    { 1: 'a general request', 2: "it does not speak the peer's version", 3: 'it is being shut down' }[code] ??
    unknown('reason', code)
  );
}

/** RFC 2661 4.4.2: StopCCN. */
export function l2tpStopResult(code: number): string {
  return (
    {
      1: 'a general request to end the tunnel',
      2: 'a general error',
      3: 'a tunnel exists already',
      4: 'this device is not authorized to open a tunnel',
      5: 'it does not speak this version of L2TP',
      6: 'it is being shut down',
      7: 'its state machine has an error',
    }[code] ?? unknown('result', code)
  );
}

/** RFC 2661 4.4.2: CDN. */
export function l2tpCallResult(code: number): string {
  return (
    {
      1: 'the carrier was lost',
      2: 'a general error',
      3: 'it was closed by the administrator',
      4: 'it has no room for this now',
      5: 'it can never do what was asked for',
      6: 'the number is not valid',
      7: 'no carrier was found',
      8: 'the line is busy',
      9: 'there is no dial tone',
      10: 'the call was not set up in time',
      11: 'no framing was found',
    }[code] ?? unknown('result', code)
  );
}

/** RFC 2661 4.4.2: the general error codes; empty for no error. */
export function l2tpError(code: number): string {
  if (code === 0) return '';
  return (
    {
      1: 'no control connection exists for this pair',
      2: 'a length is wrong',
      3: 'a field is out of range or a reserved field is not zero',
      4: 'it has no room for this now',
      5: 'the session id is not valid here',
      6: "an error of the vendor's own",
      7: "it could do this with another server's help",
      8: 'it does not know an attribute that it must',
    }[code] ?? unknown('error', code)
  );
}

const IKE_ERRORS: Readonly<Record<number, readonly [name: string, what: string]>> = {
  1: ['UNSUPPORTED_CRITICAL_PAYLOAD', 'it does not know a payload that it must'],
  4: ['INVALID_IKE_SPI', 'it does not know this IKE SA; perhaps it was restarted'],
  5: ['INVALID_MAJOR_VERSION', 'it does not speak this version of IKE'],
  7: ['INVALID_SYNTAX', 'it cannot read a message'],
  9: ['INVALID_MESSAGE_ID', 'a message came out of turn'],
  11: ['INVALID_SPI', 'it does not know this SPI; perhaps it was restarted'],
  14: ['NO_PROPOSAL_CHOSEN', 'it accepts none of the encryption proposals of the device'],
  15: ['BAD_PROPOSAL_SYNTAX', 'it cannot read the proposals'],
  16: ['PAYLOAD_MALFORMED', 'it cannot read a payload; often the pre-shared key is wrong'],
  17: ['INVALID_KE_PAYLOAD', 'it wants another key exchange group'],
  18: ['INVALID_ID_INFORMATION', 'it does not accept the identity or the networks of the device'],
  23: ['INVALID_HASH_INFORMATION', 'a check failed; often the pre-shared key is wrong'],
  24: ['AUTHENTICATION_FAILED', 'it does not accept the identity, password or certificate of the device'],
  29: ['UNSUPPORTED_EXCHANGE_TYPE', 'it does not allow this mode of IKE'],
  34: ['SINGLE_PAIR_REQUIRED', 'it wants a single pair of addresses'],
  35: ['NO_ADDITIONAL_SAS', 'it allows no further security association'],
  43: ['TEMPORARY_FAILURE', 'it cannot do this just now'],
};

/** The name and the words of an error notification. */
export function ikeError(type: number): { name: string; what: string } {
  const found = IKE_ERRORS[type];
  return found
    ? { name: found[0], what: found[1] }
    : { name: `error ${type}`, what: 'the standard of IKE names the number' };
}

/** Error notifications that belong to a working negotiation: the device tries again as it is told. */
export const IKE_RETRIES: ReadonlySet<number> = new Set([17]);
