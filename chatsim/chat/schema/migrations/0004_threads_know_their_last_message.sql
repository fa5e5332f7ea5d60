-- K5: what was said last is known without reading any message.
ALTER TABLE chat_thread
  ADD COLUMN last_seq BIGINT UNSIGNED NOT NULL DEFAULT 0,
  ADD COLUMN last_message_id BIGINT UNSIGNED NOT NULL DEFAULT 0;
UPDATE chat_thread t
  JOIN (SELECT thread_id, MAX(seq) AS seq, MAX(message_id) AS message_id FROM chat_message GROUP BY thread_id) m
    ON m.thread_id = t.id
   SET t.last_seq = m.seq, t.last_message_id = m.message_id;
