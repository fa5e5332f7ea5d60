-- P3, P7, P8, G5: what is new to a user has numbers of the user's; what they have read is a number that moves forward.
CREATE TABLE user_version (
  user_id BIGINT UNSIGNED NOT NULL,
  version BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (user_id),
  CONSTRAINT user_version_user FOREIGN KEY (user_id) REFERENCES user (uid)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
CREATE TABLE user_thread (
  user_id BIGINT UNSIGNED NOT NULL,
  thread_id BIGINT UNSIGNED NOT NULL,
  version BIGINT UNSIGNED NOT NULL,
  activity BIGINT UNSIGNED NOT NULL DEFAULT 0,
  read_seq BIGINT UNSIGNED NOT NULL DEFAULT 0,
  unread INT UNSIGNED NOT NULL DEFAULT 0,
  PRIMARY KEY (user_id, thread_id),
  KEY idx_user_version (user_id, version),
  KEY idx_user_activity (user_id, activity),
  KEY idx_thread (thread_id),
  CONSTRAINT user_thread_user FOREIGN KEY (user_id) REFERENCES user (uid),
  CONSTRAINT user_thread_thread FOREIGN KEY (thread_id) REFERENCES chat_thread (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
INSERT INTO user_thread (user_id, thread_id, version, activity, read_seq)
  SELECT m.user_id, t.id, n, IF(t.last_seq > 0, n, 0), m.read_seq
    FROM (SELECT k.user_id, k.thread_id,
                 ROW_NUMBER() OVER (PARTITION BY k.user_id ORDER BY h.last_message_id, k.thread_id) AS n,
                 (SELECT COALESCE(MAX(c.seq), 0) FROM chat_message c
                   WHERE c.thread_id = k.thread_id AND c.recv_id = k.user_id AND c.status = 1) AS read_seq
            FROM (SELECT user1_id AS user_id, thread_id FROM private_chat
                  UNION SELECT user2_id, thread_id FROM private_chat
                  UNION SELECT user_id, thread_id FROM group_chat_member) k
            JOIN chat_thread h ON h.id = k.thread_id) m
    JOIN chat_thread t ON t.id = m.thread_id;
UPDATE user_thread u
   SET unread = (SELECT COUNT(*) FROM chat_message m
                  WHERE m.thread_id = u.thread_id AND m.seq > u.read_seq AND m.sender_id <> u.user_id);
INSERT INTO user_version (user_id, version) SELECT user_id, MAX(version) FROM user_thread GROUP BY user_id;
