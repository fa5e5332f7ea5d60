-- P4, P5, SD1, K3, K4: a number in the thread, the sender's name, a receiver only where there is one, a kind.
ALTER TABLE chat_message
  ADD COLUMN seq BIGINT UNSIGNED NULL AFTER thread_id,
  MODIFY recv_id BIGINT UNSIGNED NULL,
  ADD COLUMN unique_id VARCHAR(64) COLLATE utf8mb4_0900_bin NULL AFTER recv_id,
  ADD COLUMN msg_type TINYINT NOT NULL DEFAULT 0 COMMENT '0=text 1=image 2=file' AFTER unique_id;
UPDATE chat_message m
  JOIN (SELECT message_id, ROW_NUMBER() OVER (PARTITION BY thread_id ORDER BY message_id) AS seq FROM chat_message) n
    ON n.message_id = m.message_id
   SET m.seq = n.seq, m.updated_at = m.updated_at;
-- G1: the source's server says 2, recalled, of every new message, though nobody can recall one
UPDATE chat_message SET status = 0, updated_at = updated_at WHERE status = 2;
ALTER TABLE chat_message
  MODIFY seq BIGINT UNSIGNED NOT NULL,
  ADD UNIQUE KEY uniq_thread_seq (thread_id, seq),
  ADD UNIQUE KEY uniq_sender_unique (sender_id, unique_id);
