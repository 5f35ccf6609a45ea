-- The log of one publication, format 1. The triggers below reject every change of stored rows.

CREATE TABLE log_meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    publication TEXT NOT NULL CHECK (length(publication) = 36)
) STRICT;

-- A withdrawal sets both `payload` and `salt` to null. The commitment is HMAC-SHA-256.
CREATE TABLE event (
    position INTEGER PRIMARY KEY,
    v INTEGER NOT NULL CHECK (v = 1),
    event_id TEXT NOT NULL UNIQUE CHECK (length(event_id) = 36),
    stream TEXT NOT NULL,
    stream_version INTEGER NOT NULL,
    type TEXT NOT NULL,
    schema_version INTEGER NOT NULL CHECK (schema_version > 0),
    recorded_at INTEGER NOT NULL CHECK (recorded_at >= 0),
    actor_id TEXT NOT NULL,
    on_behalf_of_actor_id TEXT,
    command_id TEXT NOT NULL,
    correlation_id TEXT NOT NULL,
    causation_id TEXT,
    payload_commitment BLOB NOT NULL CHECK (length(payload_commitment) = 32),
    encoding TEXT NOT NULL,
    payload BLOB,
    salt BLOB CHECK (length(salt) = 32),
    UNIQUE (stream, stream_version),
    CHECK ((payload IS NULL) = (salt IS NULL))
) STRICT;

-- These triggers fire before INSERT OR REPLACE and ON CONFLICT look for a conflicting row.
CREATE TRIGGER event_comes_next BEFORE INSERT ON event
WHEN NEW.position IS NOT 1 + (SELECT coalesce(max(position), 0) FROM event)
BEGIN
    SELECT RAISE(ABORT, 'an event is recorded at the position after the last');
END;

CREATE TRIGGER event_continues_its_stream BEFORE INSERT ON event
WHEN NEW.stream_version IS NOT 1 + (SELECT coalesce(max(stream_version), 0) FROM event WHERE stream = NEW.stream)
BEGIN
    SELECT RAISE(ABORT, 'an event has the version after the last of its stream');
END;

CREATE TRIGGER event_is_new BEFORE INSERT ON event
WHEN EXISTS (SELECT 1 FROM event WHERE event_id = NEW.event_id)
BEGIN
    SELECT RAISE(ABORT, 'an event is recorded once');
END;

CREATE TRIGGER event_stays BEFORE DELETE ON event
BEGIN
    SELECT RAISE(ABORT, 'an event is never deleted');
END;

-- The only change allowed is a withdrawal, after `payload.withdrawn` was recorded for the event.
CREATE TRIGGER event_is_only_withdrawn BEFORE UPDATE ON event
WHEN NOT (
    NEW.payload IS NULL AND NEW.salt IS NULL
    AND NEW.position IS OLD.position
    AND NEW.v IS OLD.v
    AND NEW.event_id IS OLD.event_id
    AND NEW.stream IS OLD.stream
    AND NEW.stream_version IS OLD.stream_version
    AND NEW.type IS OLD.type
    AND NEW.schema_version IS OLD.schema_version
    AND NEW.recorded_at IS OLD.recorded_at
    AND NEW.actor_id IS OLD.actor_id
    AND NEW.on_behalf_of_actor_id IS OLD.on_behalf_of_actor_id
    AND NEW.command_id IS OLD.command_id
    AND NEW.correlation_id IS OLD.correlation_id
    AND NEW.causation_id IS OLD.causation_id
    AND NEW.payload_commitment IS OLD.payload_commitment
    AND NEW.encoding IS OLD.encoding
    AND EXISTS (
        SELECT 1 FROM event
        WHERE stream = 'withdrawal.' || OLD.event_id AND type = 'payload.withdrawn'
    )
)
BEGIN
    SELECT RAISE(ABORT, 'an event is never changed, but for a recorded withdrawal of its payload');
END;

CREATE TRIGGER log_meta_is_one BEFORE INSERT ON log_meta
WHEN EXISTS (SELECT 1 FROM log_meta)
BEGIN
    SELECT RAISE(ABORT, 'a log belongs to one publication');
END;

CREATE TRIGGER log_meta_is_fixed BEFORE UPDATE ON log_meta
BEGIN
    SELECT RAISE(ABORT, 'a log belongs to one publication for ever');
END;

CREATE TRIGGER log_meta_stays BEFORE DELETE ON log_meta
BEGIN
    SELECT RAISE(ABORT, 'a log belongs to one publication for ever');
END;
