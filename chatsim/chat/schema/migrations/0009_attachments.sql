-- S11: attachments, which the source names and does not have; and how much of them each user has.
CREATE TABLE message_attachment (
  attachment_id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  message_id BIGINT UNSIGNED NULL COMMENT 'chat_message.message_id, once it is sent',
  file_url VARCHAR(64) NOT NULL COMMENT 'the file with the bytes',
  file_type TINYINT NOT NULL COMMENT '1=image 2=file',
  uploader BIGINT UNSIGNED NOT NULL COMMENT 'user.uid',
  unique_id VARCHAR(64) COLLATE utf8mb4_0900_bin NOT NULL,
  name VARCHAR(255) NOT NULL COMMENT 'what the uploader calls it',
  size BIGINT UNSIGNED NOT NULL,
  sha256 CHAR(64) NOT NULL,
  created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
  state TINYINT NOT NULL DEFAULT 0 COMMENT '0=under way 1=whole 2=sent 3=recalled',
  PRIMARY KEY (attachment_id),
  UNIQUE KEY uniq_message (message_id),
  UNIQUE KEY uniq_file (file_url),
  UNIQUE KEY uniq_uploader_unique (uploader, unique_id),
  KEY idx_state_created (state, created_at),
  CONSTRAINT message_attachment_message FOREIGN KEY (message_id) REFERENCES chat_message (message_id),
  CONSTRAINT message_attachment_uploader FOREIGN KEY (uploader) REFERENCES user (uid)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
CREATE TABLE user_files (
  user_id BIGINT UNSIGNED NOT NULL,
  bytes BIGINT UNSIGNED NOT NULL DEFAULT 0,
  PRIMARY KEY (user_id),
  CONSTRAINT user_files_user FOREIGN KEY (user_id) REFERENCES user (uid)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
