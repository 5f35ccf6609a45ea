-- The logs of several publications, format 1. The triggers below reject changes of stored rows, for every role.

CREATE SCHEMA ledgerpress;

-- One row for each log. An append locks the row until its transaction ends, so that position order is commit order.
-- The row is locked, not updated: a lock leaves no dead row versions, which would pile up during a long dump.
CREATE TABLE ledgerpress.log_head (
    log integer PRIMARY KEY CHECK (log > 0),
    name text COLLATE "C" NOT NULL UNIQUE,
    publication uuid NOT NULL,
    format integer NOT NULL,
    complete boolean NOT NULL,
    note text NOT NULL DEFAULT ''
);
COMMENT ON COLUMN ledgerpress.log_head.complete IS 'false while it is being made of another log; nobody opens it then';
COMMENT ON COLUMN ledgerpress.log_head.note IS 'what is noted of an unfinished copy';

-- A withdrawal sets both `payload` and `salt` to null. The commitment is HMAC-SHA-256.
-- Text is compared byte by byte, so that no index depends on a locale.
CREATE TABLE ledgerpress.event (
    log integer NOT NULL,
    position bigint NOT NULL CHECK (position > 0),
    v smallint NOT NULL CHECK (v = 1),
    event_id uuid NOT NULL,
    stream text COLLATE "C" NOT NULL,
    stream_version bigint NOT NULL CHECK (stream_version > 0),
    type text COLLATE "C" NOT NULL,
    schema_version bigint NOT NULL CHECK (schema_version > 0),
    recorded_at bigint NOT NULL CHECK (recorded_at >= 0),
    actor_id uuid NOT NULL,
    on_behalf_of_actor_id uuid,
    command_id uuid NOT NULL,
    correlation_id uuid NOT NULL,
    causation_id uuid,
    payload_commitment bytea NOT NULL CHECK (octet_length(payload_commitment) = 32),
    encoding text COLLATE "C" NOT NULL,
    payload bytea,
    salt bytea CHECK (octet_length(salt) = 32),
    PRIMARY KEY (log, position),
    CONSTRAINT event_is_recorded_once UNIQUE (log, event_id),
    CONSTRAINT event_has_a_version_of_its_own UNIQUE (log, stream, stream_version),
    CHECK ((payload IS NULL) = (salt IS NULL))
);

-- Larger payloads are compressed: with LZ4 if the server has it, because it is several times faster.
DO $$
BEGIN
    ALTER TABLE ledgerpress.event ALTER COLUMN payload SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
    NULL;
END
$$;

-- Not part of the log: the lease registers.
CREATE TABLE ledgerpress.lease (
    log integer NOT NULL,
    name text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    holder text NOT NULL,
    PRIMARY KEY (log, name)
) WITH (fillfactor = 50);

-- An event needs its predecessors, in the log and in its stream. They must be visible: committed, or inserted by the
-- same transaction. So an append that bypasses the lock on the head fails; without this, a reader could miss an event.
CREATE FUNCTION ledgerpress.event_comes_next() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (
        SELECT FROM (SELECT DISTINCT log FROM recorded) AS r
        WHERE NOT EXISTS (SELECT FROM ledgerpress.log_head AS h WHERE h.log = r.log)
    ) THEN
        RAISE EXCEPTION 'an event is recorded in a log that there is' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF EXISTS (
        SELECT FROM recorded AS r
        WHERE r.position > 1 AND (
            SELECT e.position FROM ledgerpress.event AS e WHERE e.log = r.log AND e.position = r.position - 1
        ) IS NULL
    ) THEN
        RAISE EXCEPTION 'an event is recorded at the position after the last' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF EXISTS (
        SELECT FROM recorded AS r
        WHERE r.stream_version > 1 AND coalesce((
            SELECT e.position FROM ledgerpress.event AS e
            WHERE e.log = r.log AND e.stream = r.stream AND e.stream_version = r.stream_version - 1
        ), r.position) >= r.position
    ) THEN
        RAISE EXCEPTION 'an event has the version after the last of its stream' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER event_comes_next AFTER INSERT ON ledgerpress.event
REFERENCING NEW TABLE AS recorded
FOR EACH STATEMENT EXECUTE FUNCTION ledgerpress.event_comes_next();

-- Only the events of an unfinished copy may be deleted.
CREATE FUNCTION ledgerpress.event_stays() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' AND EXISTS (SELECT FROM ledgerpress.log_head AS h WHERE h.log = OLD.log AND NOT h.complete) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'an event is never deleted' USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER event_stays BEFORE DELETE ON ledgerpress.event
FOR EACH ROW EXECUTE FUNCTION ledgerpress.event_stays();
CREATE TRIGGER events_stay BEFORE TRUNCATE ON ledgerpress.event
FOR EACH STATEMENT EXECUTE FUNCTION ledgerpress.event_stays();

-- The only change allowed is a withdrawal, after `payload.withdrawn` was recorded for the event.
CREATE FUNCTION ledgerpress.event_is_only_withdrawn() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.payload IS NULL AND NEW.salt IS NULL
        AND (
            NEW.log, NEW.position, NEW.v, NEW.event_id, NEW.stream, NEW.stream_version, NEW.type, NEW.schema_version,
            NEW.recorded_at, NEW.actor_id, NEW.on_behalf_of_actor_id, NEW.command_id, NEW.correlation_id,
            NEW.causation_id, NEW.payload_commitment, NEW.encoding
        ) IS NOT DISTINCT FROM (
            OLD.log, OLD.position, OLD.v, OLD.event_id, OLD.stream, OLD.stream_version, OLD.type, OLD.schema_version,
            OLD.recorded_at, OLD.actor_id, OLD.on_behalf_of_actor_id, OLD.command_id, OLD.correlation_id,
            OLD.causation_id, OLD.payload_commitment, OLD.encoding
        )
        AND EXISTS (
            SELECT FROM ledgerpress.event AS e
            WHERE e.log = OLD.log AND e.stream = 'withdrawal.' || OLD.event_id::text AND e.type = 'payload.withdrawn'
        )
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'an event is never changed, but for a recorded withdrawal of its payload'
        USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER event_is_only_withdrawn BEFORE UPDATE ON ledgerpress.event
FOR EACH ROW EXECUTE FUNCTION ledgerpress.event_is_only_withdrawn();

CREATE FUNCTION ledgerpress.log_head_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a log belongs to one publication for ever' USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER log_head_stays BEFORE DELETE ON ledgerpress.log_head
FOR EACH ROW WHEN (OLD.complete) EXECUTE FUNCTION ledgerpress.log_head_stays();
-- The number of a deleted copy is reused, so none of its events may remain: they would belong to the next log.
CREATE FUNCTION ledgerpress.copy_goes_whole() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM ledgerpress.event AS e WHERE e.log = OLD.log) THEN
        RAISE EXCEPTION 'the events of a copy that is given up are deleted before it'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN OLD;
END
$$;
CREATE TRIGGER copy_goes_whole BEFORE DELETE ON ledgerpress.log_head
FOR EACH ROW WHEN (NOT OLD.complete) EXECUTE FUNCTION ledgerpress.copy_goes_whole();
CREATE TRIGGER log_heads_stay BEFORE TRUNCATE ON ledgerpress.log_head
FOR EACH STATEMENT EXECUTE FUNCTION ledgerpress.log_head_stays();
-- The role of a node needs permission to update a column, because it could not lock the row without it.
CREATE TRIGGER log_head_is_fixed BEFORE UPDATE ON ledgerpress.log_head
FOR EACH ROW WHEN (
    (NEW.log, NEW.name, NEW.publication) IS DISTINCT FROM (OLD.log, OLD.name, OLD.publication)
    OR (OLD.complete AND (NEW.complete, NEW.note) IS DISTINCT FROM (OLD.complete, OLD.note))
)
EXECUTE FUNCTION ledgerpress.log_head_stays();

-- These triggers also fire in sessions with session_replication_role = replica.
ALTER TABLE ledgerpress.event ENABLE ALWAYS TRIGGER event_stays;
ALTER TABLE ledgerpress.event ENABLE ALWAYS TRIGGER events_stay;
ALTER TABLE ledgerpress.event ENABLE ALWAYS TRIGGER event_is_only_withdrawn;
ALTER TABLE ledgerpress.log_head ENABLE ALWAYS TRIGGER log_head_stays;
ALTER TABLE ledgerpress.log_head ENABLE ALWAYS TRIGGER copy_goes_whole;
ALTER TABLE ledgerpress.log_head ENABLE ALWAYS TRIGGER log_heads_stay;
ALTER TABLE ledgerpress.log_head ENABLE ALWAYS TRIGGER log_head_is_fixed;
