-- S14: a change of a message has a number of its thread's, so that a client learns which messages have changed.
ALTER TABLE chat_thread ADD COLUMN last_revision BIGINT UNSIGNED NOT NULL DEFAULT 0 AFTER last_message_id;
-- G1, G2: a status means one thing. Who has read a message is known from read positions: 0006 has made them of status 1.
UPDATE chat_message SET status = 0, updated_at = updated_at WHERE status NOT IN (0, 2);
ALTER TABLE chat_message
  MODIFY status TINYINT NOT NULL DEFAULT 0 COMMENT '0=sent 2=recalled',
  ADD COLUMN revision BIGINT UNSIGNED NOT NULL DEFAULT 0,
  ADD KEY idx_thread_revision (thread_id, revision),
  ADD CONSTRAINT chat_message_status CHECK (status IN (0, 2));
-- S12: how far one of the member's devices has the thread; what has been read has been delivered.
ALTER TABLE user_thread ADD COLUMN delivered_seq BIGINT UNSIGNED NOT NULL DEFAULT 0;
UPDATE user_thread SET delivered_seq = read_seq;
