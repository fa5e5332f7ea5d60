-- F1: a creation that is sent again finds its group; a member reads from a number on; changes of members are counted.
ALTER TABLE chat_thread ADD COLUMN roster BIGINT UNSIGNED NOT NULL DEFAULT 0;
ALTER TABLE group_chat
  ADD COLUMN creator_id BIGINT UNSIGNED NULL AFTER name,
  ADD COLUMN unique_id VARCHAR(64) COLLATE utf8mb4_0900_bin NULL AFTER creator_id,
  ADD UNIQUE KEY uniq_creator_unique (creator_id, unique_id),
  ADD CONSTRAINT group_chat_creator FOREIGN KEY (creator_id) REFERENCES user (uid);
ALTER TABLE group_chat_member ADD COLUMN first_seq BIGINT UNSIGNED NOT NULL DEFAULT 1;
