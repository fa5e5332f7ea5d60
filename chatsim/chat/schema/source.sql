-- The source's tables with its exact columns and keys: docs/source.md, 1.1 (S1 to S5).
CREATE TABLE chat_message (
  message_id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  thread_id BIGINT UNSIGNED NOT NULL,
  sender_id BIGINT UNSIGNED NOT NULL,
  recv_id BIGINT UNSIGNED NOT NULL,
  content TEXT NOT NULL,
  created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
  updated_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  status TINYINT NOT NULL DEFAULT 0 COMMENT '0=unread 1=read 2=recalled',
  PRIMARY KEY (message_id),
  KEY idx_thread_created (thread_id, created_at),
  KEY idx_thread_message (thread_id, message_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE chat_thread (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  type ENUM('private','group') NOT NULL,
  created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY (id)
);

CREATE TABLE private_chat (
  thread_id BIGINT UNSIGNED NOT NULL COMMENT 'chat_thread.id',
  user1_id BIGINT UNSIGNED NOT NULL,
  user2_id BIGINT UNSIGNED NOT NULL,
  created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY (thread_id),
  UNIQUE KEY uniq_private_thread (user1_id, user2_id),
  KEY idx_private_user1_thread (user1_id, thread_id),
  KEY idx_private_user2_thread (user2_id, thread_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE group_chat (
  thread_id BIGINT UNSIGNED NOT NULL COMMENT 'chat_thread.id',
  name VARCHAR(255) DEFAULT NULL COMMENT 'the group''s name',
  created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY (thread_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE group_chat_member (
  thread_id BIGINT UNSIGNED NOT NULL COMMENT 'chat_thread.id',
  user_id BIGINT UNSIGNED NOT NULL COMMENT 'user.uid',
  role TINYINT NOT NULL DEFAULT 0 COMMENT '0=member 1=admin 2=creator',
  joined_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
  muted_until TIMESTAMP NULL COMMENT 'muted until then',
  PRIMARY KEY (thread_id, user_id),
  KEY idx_user_threads (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- The tables that the source relies on: docs/source.md, 3.9.
CREATE TABLE user (
  id INT NOT NULL AUTO_INCREMENT,
  uid INT NOT NULL DEFAULT 0,
  name VARCHAR(255) NOT NULL DEFAULT '',
  email VARCHAR(255) NOT NULL DEFAULT '',
  pwd VARCHAR(255) NOT NULL DEFAULT '',
  nick VARCHAR(255) NOT NULL DEFAULT '',
  `desc` VARCHAR(255) NOT NULL DEFAULT '',
  sex INT NOT NULL DEFAULT 0,
  icon VARCHAR(255) NOT NULL DEFAULT '',
  PRIMARY KEY (id),
  UNIQUE KEY uid (uid),
  UNIQUE KEY email (email),
  KEY name (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE user_id (
  id INT NOT NULL,
  PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE friend (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT,
  self_id INT NOT NULL,
  friend_id INT NOT NULL,
  back VARCHAR(255) DEFAULT '',
  PRIMARY KEY (id),
  UNIQUE KEY self_friend (self_id, friend_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE friend_apply (
  id BIGINT NOT NULL AUTO_INCREMENT,
  from_uid INT NOT NULL,
  to_uid INT NOT NULL,
  status SMALLINT NOT NULL DEFAULT 0,
  descs VARCHAR(255) DEFAULT '',
  back_name VARCHAR(255) DEFAULT '',
  PRIMARY KEY (id),
  UNIQUE KEY from_to_uid (from_uid, to_uid)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
