-- journal.sqlite as 0.1.0 leaves it.
CREATE TABLE sessions (id INTEGER PRIMARY KEY, ended_at INTEGER, record TEXT NOT NULL);
CREATE INDEX sessions_ended ON sessions (ended_at);
CREATE TABLE history (session INTEGER NOT NULL, at INTEGER NOT NULL, what TEXT NOT NULL);
CREATE INDEX history_session ON history (session);
CREATE TABLE events (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, level TEXT NOT NULL, what TEXT NOT NULL, session TEXT, device TEXT);
CREATE TABLE devices (id TEXT PRIMARY KEY, given_name TEXT, last_seen INTEGER NOT NULL, facts TEXT NOT NULL);
INSERT INTO sessions VALUES (1, 1790000000000, '{"id":1,"key":"ipsec 192.168.1.11 203.0.113.1","protocol":"ipsec","guessed":false,"client":"192.168.1.11","server":"203.0.113.1","serverPort":null,"serverName":null,"since":1790000000000,"endedAt":1790000000000,"state":"up","trouble":null,"phase":"open","refusal":null,"warning":null,"restarts":0,"lastOut":1790000000000,"lastIn":null,"silence":{"since":1790000000000,"packets":0,"bytes":0},"espSilence":{"since":1790000000000,"packets":1},"flows":[],"sas":[{"direction":"out","spi":4097,"since":1790000000000,"lastSeen":1790000000000,"traffic":{"packets":0,"bytes":0},"confidence":null,"evidence":null}],"tunnels":[],"past":{"out":{"packets":0,"bytes":0},"in":{"packets":0,"bytes":0}},"details":{},"aliases":[]}');
INSERT INTO sessions VALUES (2, NULL, '{"id":2,"key":"ipsec 192.168.1.11 203.0.113.1","protocol":"ipsec","guessed":false,"client":"192.168.1.11","server":"203.0.113.1","serverPort":null,"serverName":null,"since":1790000000000,"endedAt":null,"state":"up","trouble":null,"phase":"open","refusal":null,"warning":null,"restarts":0,"lastOut":1790000000000,"lastIn":null,"silence":{"since":1790000000000,"packets":0,"bytes":0},"espSilence":{"since":1790000000000,"packets":1},"flows":[],"sas":[{"direction":"out","spi":4097,"since":1790000000000,"lastSeen":1790000000000,"traffic":{"packets":0,"bytes":0},"confidence":null,"evidence":null}],"tunnels":[],"past":{"out":{"packets":0,"bytes":0},"in":{"packets":0,"bytes":0}},"details":{},"aliases":[]}');
INSERT INTO history VALUES (1, 1790000000000, 'It began.');
INSERT INTO history VALUES (2, 1790000000000, 'It began.');
INSERT INTO events VALUES (1, 1790000000000, 'system', 'info', 'The gateway is ready.', NULL, NULL);
INSERT INTO devices VALUES ('02:00:00:00:00:11', 'Ann''s phone', 1790000000000, '{}');
PRAGMA user_version = 1;
