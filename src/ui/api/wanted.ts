// Shapes of the account and configuration routes, until the API's own types are there.
export interface PendingChange {
  readonly reverts_at: string;
}
export interface User {
  readonly name: string;
  readonly totp: boolean;
  readonly created_at: string;
  readonly last_login_at: string | null;
}
export interface Login {
  readonly id: string;
  readonly user: string;
  readonly address: string;
  readonly agent: string;
  readonly created_at: string;
  readonly last_used_at: string;
  readonly current: boolean;
}
export interface Token {
  readonly id: string;
  readonly name: string;
  readonly scope: 'read' | 'full';
  readonly created_at: string;
  readonly last_used_at: string | null;
}
export interface Certificate {
  readonly subject: string;
  readonly issuer: string;
  readonly names: readonly string[];
  readonly not_before: string;
  readonly not_after: string;
  readonly fingerprint_sha256: string;
  readonly self_made: boolean;
}
export interface Version {
  readonly id: number;
  readonly at: string;
  readonly who: string;
  readonly what: string;
}
export interface Detected {
  readonly name: string;
  readonly state: 'up' | 'down';
  readonly addresses: readonly string[];
  readonly suggestion: 'wan' | 'lan' | null;
}
