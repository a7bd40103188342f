-- admin.sqlite as 0.1.0 leaves it.
CREATE TABLE users (name TEXT PRIMARY KEY COLLATE NOCASE, password TEXT NOT NULL, totp_secret TEXT, totp_offer TEXT, totp_last INTEGER NOT NULL DEFAULT 0, created_at INTEGER NOT NULL, last_login_at INTEGER);
CREATE TABLE recovery_codes (user TEXT NOT NULL COLLATE NOCASE, hash TEXT NOT NULL);
CREATE TABLE logins (id TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, user TEXT NOT NULL COLLATE NOCASE, address TEXT NOT NULL, agent TEXT NOT NULL, created_at INTEGER NOT NULL, last_used_at INTEGER NOT NULL);
CREATE TABLE tokens (id TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, name TEXT NOT NULL, scope TEXT NOT NULL, created_at INTEGER NOT NULL, last_used_at INTEGER);
CREATE TABLE versions (id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL, text TEXT NOT NULL);
INSERT INTO users VALUES ('admin', '$argon2id$not-a-hash', NULL, NULL, 0, 1790000000000, NULL);
INSERT INTO tokens VALUES ('1', 'not-a-hash', 'monitoring', 'read', 1790000000000, NULL);
INSERT INTO versions VALUES (1, 1790000000000, 'admin', 'passthrough.pptp', 'version: 1');
PRAGMA user_version = 1;
