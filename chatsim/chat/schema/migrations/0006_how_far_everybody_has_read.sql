-- G5: a row that only moves forward, instead of a status on each message.
CREATE TABLE thread_read (
  thread_id BIGINT UNSIGNED NOT NULL,
  user_id BIGINT UNSIGNED NOT NULL,
  seq BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (thread_id, user_id),
  CONSTRAINT thread_read_thread FOREIGN KEY (thread_id) REFERENCES chat_thread (id),
  CONSTRAINT thread_read_user FOREIGN KEY (user_id) REFERENCES user (uid)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
