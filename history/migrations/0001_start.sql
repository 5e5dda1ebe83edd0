-- What is known of the file itself: instance, slots of the rings, watermarks.
CREATE TABLE meta (key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;

-- A check at a target, or (name '') a module at a target of /probe.
CREATE TABLE series (id INTEGER PRIMARY KEY, name TEXT NOT NULL, target TEXT NOT NULL, module TEXT NOT NULL);

-- Error texts, once each. An evicted one reads as empty.
CREATE TABLE text (id INTEGER PRIMARY KEY, text TEXT NOT NULL);

-- Raw results of checks and of requests: slot = seq modulo the number of slots. at: unix ms; took, timeout: microseconds.
CREATE TABLE result (slot INTEGER PRIMARY KEY, seq INTEGER NOT NULL, at INTEGER NOT NULL, series INTEGER NOT NULL,
	origin INTEGER NOT NULL, verdict INTEGER NOT NULL, reason INTEGER NOT NULL, attempts INTEGER NOT NULL,
	took INTEGER NOT NULL, timeout INTEGER NOT NULL, text INTEGER NOT NULL, trace INTEGER NOT NULL);
CREATE TABLE request (slot INTEGER PRIMARY KEY, seq INTEGER NOT NULL, at INTEGER NOT NULL, series INTEGER NOT NULL,
	origin INTEGER NOT NULL, verdict INTEGER NOT NULL, reason INTEGER NOT NULL, attempts INTEGER NOT NULL,
	took INTEGER NOT NULL, timeout INTEGER NOT NULL, text INTEGER NOT NULL, trace INTEGER NOT NULL);

-- The first sequence of each hour of arrival, and once it is over the range of the times in it: finds a time range without an index.
CREATE TABLE span (seq INTEGER PRIMARY KEY, hour INTEGER NOT NULL, low INTEGER, high INTEGER);

-- Counters of a series, folded from its results below seq.
CREATE TABLE counters (series INTEGER PRIMARY KEY, seq INTEGER NOT NULL, body BLOB NOT NULL);

-- Traces, compressed. cost: bytes of the file.
CREATE TABLE trace (id INTEGER PRIMARY KEY, name TEXT NOT NULL, at INTEGER NOT NULL, cost INTEGER NOT NULL, body BLOB NOT NULL);

-- The small memory of probers.
CREATE TABLE memory (name TEXT NOT NULL, target TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,
	PRIMARY KEY (name, target, key)) WITHOUT ROWID;

-- Times below are unix nanoseconds, 0 = none.
CREATE TABLE state (name TEXT PRIMARY KEY, module TEXT NOT NULL, target TEXT NOT NULL, state INTEGER NOT NULL, since INTEGER NOT NULL,
	last_success INTEGER NOT NULL, last_seen INTEGER NOT NULL, incident INTEGER NOT NULL, reason INTEGER NOT NULL, err TEXT NOT NULL,
	facts TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE transition (id INTEGER PRIMARY KEY, name TEXT NOT NULL, grp TEXT NOT NULL, module TEXT NOT NULL, target TEXT NOT NULL,
	from_state INTEGER NOT NULL, to_state INTEGER NOT NULL, at INTEGER NOT NULL, noticed INTEGER NOT NULL, gone INTEGER NOT NULL,
	incident INTEGER NOT NULL, began INTEGER NOT NULL, reason INTEGER NOT NULL, err TEXT NOT NULL, attempts INTEGER NOT NULL,
	took INTEGER NOT NULL, changes TEXT NOT NULL, note TEXT NOT NULL, trace INTEGER NOT NULL, cost INTEGER NOT NULL);
CREATE INDEX transition_name ON transition (name);
CREATE INDEX transition_incident ON transition (incident) WHERE incident <> 0;

-- The intent to tell a notifier of a transition; message 0 = not sealed yet.
CREATE TABLE delivery (transition INTEGER NOT NULL, notifier TEXT NOT NULL, message INTEGER NOT NULL,
	PRIMARY KEY (transition, notifier)) WITHOUT ROWID;
CREATE INDEX delivery_message ON delivery (message);

-- What is sent to one notifier. text is compressed, and empty once the message is done with.
CREATE TABLE message (id INTEGER PRIMARY KEY, notifier TEXT NOT NULL, kind INTEGER NOT NULL, message_id TEXT NOT NULL,
	cost INTEGER NOT NULL, in_reply_to TEXT NOT NULL, refs TEXT NOT NULL, subject TEXT NOT NULL, transitions TEXT NOT NULL,
	sealed_at INTEGER NOT NULL, tried INTEGER NOT NULL, next_at INTEGER NOT NULL, state INTEGER NOT NULL, doubtful INTEGER NOT NULL,
	error TEXT NOT NULL, text BLOB NOT NULL);
CREATE INDEX message_pending ON message (id) WHERE state IN (1, 4);
