"""The statements with which a client reads and writes its local database; `Cache` says what they are for."""

from __future__ import annotations

from chatsim.chat.client.local_files import FILE

COLUMNS = (
    *("thread_id", "type", "user1_id", "user2_id", "last_seq", "read1", "read2", "floor", "cursor", "start"),
    *("name", "role", "first", "roster", "muted_until"),
    *("last_revision", "revision", "delivered1", "delivered2", "counted_from", "counted_to", "counted"),
)
"""The columns of a thread, in the order of `LocalThread`."""

THREAD = f"SELECT {', '.join(COLUMNS)} FROM thread"
BEHIND = f"{THREAD} WHERE role >= 0 AND (cursor < last_seq OR floor > start) ORDER BY version DESC"
NOTE_START = """
    UPDATE thread SET start = MAX(first, last_seq + 1 - ?) WHERE cursor < floor AND cursor < last_seq AND role >= 0"""
SHOWN = "FROM message AS m WHERE thread_id = ? AND seq >= (SELECT floor FROM thread WHERE thread_id = m.thread_id)"
TEXTS = f"SELECT seq, unique_id, sender, content, chat_time, status, revision, {FILE} {SHOWN}"
# in a group both user ids are 0, and read1 is the position of the user of this client
MINE = "CASE WHEN user2_id = ? THEN read2 ELSE read1 END"
HEADS = f"""
    SELECT {", ".join(f"t.{column}" for column in COLUMNS)},
      m.seq, m.unique_id, m.sender, m.content, m.chat_time, m.status, m.revision, m.message_id,
      o.unique_id, o.content, o.state,
      (SELECT MAX(n) FROM outbox WHERE thread_id = t.thread_id AND state <> 'failed'),
      (SELECT COUNT(*) FROM message WHERE thread_id = t.thread_id AND seq <= t.last_seq AND sender = ?
        AND seq > CASE WHEN mine = counted_from AND floor > counted_from + 1 THEN counted_to ELSE mine END)
    FROM (SELECT *, {MINE} AS mine FROM thread) t
    LEFT JOIN message m ON m.thread_id = t.thread_id
      AND m.seq = (SELECT MAX(seq) FROM message WHERE thread_id = t.thread_id)
    LEFT JOIN outbox o ON o.n = (SELECT MAX(n) FROM outbox WHERE thread_id = t.thread_id)
    WHERE t.role >= 0"""
# a user who was added again may not read what was written meanwhile: what is stored without a gap begins anew
NOTE_THREAD = """
    INSERT INTO thread (thread_id, type, user1_id, user2_id, last_seq, read1, read2, reported, version,
      name, role, first, roster, muted_until, floor, cursor,
      last_revision, delivered1, delivered2, delivery_reported, counted_from, counted_to, counted, revision, noted)
    SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16,
           ?17, ?18, ?19, ?20, ?8, ?5, ?21, fresh * ?17, fresh * ?5
      FROM (SELECT NOT EXISTS (SELECT * FROM message WHERE thread_id = ?1) AS fresh) WHERE true
    ON CONFLICT (thread_id) DO UPDATE SET last_seq = MAX(last_seq, excluded.last_seq),
      read1 = MAX(read1, excluded.read1), read2 = MAX(read2, excluded.read2),
      reported = MAX(reported, excluded.reported),
      version = MAX(version, excluded.version),
      role = CASE WHEN excluded.version < version THEN role ELSE excluded.role END,
      muted_until = CASE WHEN excluded.version < version THEN muted_until ELSE excluded.muted_until END,
      name = CASE WHEN excluded.version < version OR excluded.role < 0 THEN name ELSE excluded.name END,
      roster = MAX(roster, excluded.roster), first = MAX(first, excluded.first),
      floor = CASE WHEN excluded.first > cursor + 1 THEN excluded.floor ELSE floor END,
      cursor = CASE WHEN excluded.first > cursor + 1 THEN excluded.cursor ELSE cursor END,
      start = CASE WHEN excluded.first > cursor + 1 THEN excluded.start ELSE start END,
      last_revision = MAX(last_revision, excluded.last_revision),
      delivered1 = MAX(delivered1, excluded.delivered1), delivered2 = MAX(delivered2, excluded.delivered2),
      delivery_reported = MAX(delivery_reported, excluded.delivery_reported),
      counted_from = CASE WHEN excluded.version < version THEN counted_from ELSE excluded.counted_from END,
      counted_to = CASE WHEN excluded.version < version THEN counted_to ELSE excluded.counted_to END,
      counted = CASE WHEN excluded.version < version THEN counted ELSE excluded.counted END"""
UNREPORTED = f"""
    SELECT thread_id, mine FROM (SELECT thread_id, reported, role, {MINE} AS mine FROM thread)
     WHERE mine > reported AND role >= 0 ORDER BY thread_id"""
MEMBERS = "SELECT uid, nick, role, muted_until FROM member WHERE thread_id = ? AND role >= 0 ORDER BY uid"
MOVE = "UPDATE thread SET {0} = MAX({0}, ?) WHERE thread_id = ? AND {1} IN (?, ?)"
CHANGE = """
    ON CONFLICT (thread_id, seq) DO UPDATE SET
      content = excluded.content, status = excluded.status, revision = excluded.revision
     WHERE excluded.revision > message.revision AND excluded.message_id = message.message_id"""
KEEP = f"INSERT OR IGNORE INTO message VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) {CHANGE}"
KEEP_PUSHED = f"""
    INSERT OR IGNORE INTO message SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10
     WHERE NOT EXISTS (SELECT * FROM thread WHERE thread_id = ?1 AND noted >= ?2) {CHANGE}"""
# of a message that is not here, it may be an old change: what is loaded has all up to the thread's number
KEEP_CHANGED = f"""
    INSERT OR IGNORE INTO message SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10
     WHERE NOT EXISTS (SELECT * FROM thread WHERE thread_id = ?1 AND revision >= ?10)
        OR EXISTS (SELECT * FROM message WHERE thread_id = ?1 AND seq = ?2) {CHANGE}"""
NOTE_CHANGE = """
    UPDATE thread SET last_revision = MAX(last_revision, ?1),
      revision = CASE WHEN revision = ?1 - 1 THEN ?1 ELSE revision END
     WHERE thread_id = ?2"""
NOTE_CHANGES = """
    UPDATE thread SET last_revision = MAX(last_revision, ?1), revision = MAX(revision, ?1) WHERE thread_id = ?2"""
OUTDATED = f"{THREAD} WHERE role >= 0 AND revision < last_revision ORDER BY version DESC"
UNDELIVERED = """
    SELECT thread_id, cursor,
      EXISTS (SELECT * FROM message AS m WHERE m.thread_id = t.thread_id
         AND m.seq > MAX(t.delivery_reported, t.reported) AND m.seq <= t.cursor AND m.sender <> ?)
    FROM thread AS t WHERE cursor > delivery_reported AND cursor > reported AND role >= 0 ORDER BY thread_id"""
ARRIVED = "DELETE FROM outbox WHERE unique_id = ?"
NOTE_LAST = "UPDATE thread SET last_seq = MAX(last_seq, ?) WHERE thread_id = ?"
BEGIN = "UPDATE thread SET floor = ?, cursor = ? - 1 WHERE thread_id = ? AND cursor < floor"
UP = """
    UPDATE thread SET cursor = (
      SELECT m.seq FROM message AS m WHERE m.thread_id = thread.thread_id AND m.seq > thread.cursor
         AND NOT EXISTS (SELECT * FROM message AS n WHERE n.thread_id = m.thread_id AND n.seq = m.seq + 1)
       ORDER BY m.seq LIMIT 1)
     WHERE thread_id = ?
       AND EXISTS (SELECT * FROM message AS n WHERE n.thread_id = thread.thread_id AND n.seq = thread.cursor + 1)"""
DOWN = """
    UPDATE thread SET floor = (
      SELECT m.seq FROM message AS m WHERE m.thread_id = thread.thread_id AND m.seq < thread.floor
         AND NOT EXISTS (SELECT * FROM message AS n WHERE n.thread_id = m.thread_id AND n.seq = m.seq - 1)
       ORDER BY m.seq DESC LIMIT 1)
     WHERE thread_id = ?
       AND EXISTS (SELECT * FROM message AS n WHERE n.thread_id = thread.thread_id AND n.seq = thread.floor - 1)"""
PENDING = "SELECT unique_id, thread_id, receiver, content, deadline FROM outbox WHERE state = ? ORDER BY n LIMIT ?"
NEXT_DEADLINE = "SELECT MIN(deadline) FROM outbox WHERE state = ?"
NEWEST = f"""
    SELECT m.seq, m.unique_id, m.sender, m.content, m.chat_time, m.status, m.revision, {FILE}
      FROM message AS m JOIN thread AS t ON t.thread_id = m.thread_id
     WHERE m.thread_id = ? AND m.seq >= t.floor AND m.seq < ? ORDER BY m.seq DESC LIMIT ?"""
ENDLESS = 2**62
ON_THEIR_WAY = """
    SELECT unique_id, content, state, 0, msg_type, size, sent FROM (
      SELECT 0 AS kind, n, unique_id, content, state, 0 AS msg_type, 0 AS size, 0 AS sent, thread_id FROM outbox
       UNION ALL
      SELECT 1, n, unique_id, name, state, msg_type, size, sent, thread_id FROM upload)
     WHERE thread_id = ? ORDER BY kind, n"""
