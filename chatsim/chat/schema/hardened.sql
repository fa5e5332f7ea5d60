-- What correctness needs beyond the source's tables. Each comment names the defect that it mends: docs/source.md, Part 2.
-- The files in migrations/ lead from source.sql to this, rows in place.

-- K7: one type for an id, wherever it stands
CREATE TABLE user (
  id INT NOT NULL AUTO_INCREMENT,
  uid BIGINT UNSIGNED NOT NULL,
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

-- K1: foreign keys from here on, so that no row refers to a user or a thread that is not there
CREATE TABLE friend (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT,
  self_id BIGINT UNSIGNED NOT NULL,
  friend_id BIGINT UNSIGNED NOT NULL,
  back VARCHAR(255) DEFAULT '',
  PRIMARY KEY (id),
  UNIQUE KEY self_friend (self_id, friend_id),
  KEY friend_of (friend_id),
  CONSTRAINT friend_self FOREIGN KEY (self_id) REFERENCES user (uid),
  CONSTRAINT friend_friend FOREIGN KEY (friend_id) REFERENCES user (uid)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE friend_apply (
  id BIGINT NOT NULL AUTO_INCREMENT,
  from_uid BIGINT UNSIGNED NOT NULL,
  to_uid BIGINT UNSIGNED NOT NULL,
  status SMALLINT NOT NULL DEFAULT 0,
  descs VARCHAR(255) DEFAULT '',
  back_name VARCHAR(255) DEFAULT '',
  PRIMARY KEY (id),
  UNIQUE KEY from_to_uid (from_uid, to_uid),
  KEY apply_to (to_uid),
  CONSTRAINT apply_from FOREIGN KEY (from_uid) REFERENCES user (uid),
  CONSTRAINT apply_to FOREIGN KEY (to_uid) REFERENCES user (uid)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- K1: engine and character set are said; K5: the last message is known without reading any
-- P4: the row is locked by whoever writes into the thread, so that numbers and message ids become visible in their order
-- roster counts the changes of a group's members, roles and mutes, so that a client sees whether its list is out of date
-- S14: last_revision numbers the changes (recalls, edits) of the thread's messages
CREATE TABLE chat_thread (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  type ENUM('private','group') NOT NULL,
  created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
  last_seq BIGINT UNSIGNED NOT NULL DEFAULT 0,
  last_message_id BIGINT UNSIGNED NOT NULL DEFAULT 0,
  last_revision BIGINT UNSIGNED NOT NULL DEFAULT 0,
  roster BIGINT UNSIGNED NOT NULL DEFAULT 0,
  PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- T2: a pair has one way to be written, so that the unique key means the pair
CREATE TABLE private_chat (
  thread_id BIGINT UNSIGNED NOT NULL COMMENT 'chat_thread.id',
  user1_id BIGINT UNSIGNED NOT NULL,
  user2_id BIGINT UNSIGNED NOT NULL,
  created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY (thread_id),
  UNIQUE KEY uniq_private_thread (user1_id, user2_id),
  KEY idx_private_user1_thread (user1_id, thread_id),
  KEY idx_private_user2_thread (user2_id, thread_id),
  CONSTRAINT private_chat_thread FOREIGN KEY (thread_id) REFERENCES chat_thread (id),
  CONSTRAINT private_chat_user1 FOREIGN KEY (user1_id) REFERENCES user (uid),
  CONSTRAINT private_chat_user2 FOREIGN KEY (user2_id) REFERENCES user (uid),
  CONSTRAINT private_chat_ordered CHECK (user1_id < user2_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- unique_id is the creator's name for the creation; a request that is sent again finds the group (NULL: not known)
CREATE TABLE group_chat (
  thread_id BIGINT UNSIGNED NOT NULL COMMENT 'chat_thread.id',
  name VARCHAR(255) DEFAULT NULL COMMENT 'the group''s name',
  creator_id BIGINT UNSIGNED NULL,
  unique_id VARCHAR(64) COLLATE utf8mb4_0900_bin NULL,
  created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY (thread_id),
  UNIQUE KEY uniq_creator_unique (creator_id, unique_id),
  CONSTRAINT group_chat_thread FOREIGN KEY (thread_id) REFERENCES chat_thread (id),
  CONSTRAINT group_chat_creator FOREIGN KEY (creator_id) REFERENCES user (uid)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- K2: the comments' tables are real ones now
-- first_seq: a member reads the messages from this number on, and none from before they were added
CREATE TABLE group_chat_member (
  thread_id BIGINT UNSIGNED NOT NULL COMMENT 'chat_thread.id',
  user_id BIGINT UNSIGNED NOT NULL COMMENT 'user.uid',
  role TINYINT NOT NULL DEFAULT 0 COMMENT '0=member 1=admin 2=creator',
  joined_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
  muted_until TIMESTAMP NULL COMMENT 'muted until then',
  first_seq BIGINT UNSIGNED NOT NULL DEFAULT 1,
  PRIMARY KEY (thread_id, user_id),
  KEY idx_user_threads (user_id),
  CONSTRAINT group_chat_member_thread FOREIGN KEY (thread_id) REFERENCES chat_thread (id),
  CONSTRAINT group_chat_member_user FOREIGN KEY (user_id) REFERENCES user (uid)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- P4, P5: seq numbers a thread's messages without a hole, so that a reader sees what is missing
-- SD1: unique_id is the sender's name for the message; a resend finds it (NULL: from before it was kept)
-- K3: a group's message has no one receiver; K4: what kind of message it is
-- S14: revision is the number of the message's last change, 0 if it is as it was sent; a recalled one has no content
-- G1, G2: a status means one thing; who has read a message is known from user_thread
CREATE TABLE chat_message (
  message_id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  thread_id BIGINT UNSIGNED NOT NULL,
  seq BIGINT UNSIGNED NOT NULL,
  sender_id BIGINT UNSIGNED NOT NULL,
  recv_id BIGINT UNSIGNED NULL,
  unique_id VARCHAR(64) COLLATE utf8mb4_0900_bin NULL,
  msg_type TINYINT NOT NULL DEFAULT 0 COMMENT '0=text 1=image 2=file',
  content TEXT NOT NULL,
  created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
  updated_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  status TINYINT NOT NULL DEFAULT 0 COMMENT '0=sent 2=recalled',
  revision BIGINT UNSIGNED NOT NULL DEFAULT 0,
  PRIMARY KEY (message_id),
  UNIQUE KEY uniq_thread_seq (thread_id, seq),
  UNIQUE KEY uniq_sender_unique (sender_id, unique_id),
  KEY idx_thread_created (thread_id, created_at),
  KEY idx_thread_message (thread_id, message_id),
  KEY idx_thread_revision (thread_id, revision),
  CONSTRAINT chat_message_thread FOREIGN KEY (thread_id) REFERENCES chat_thread (id),
  CONSTRAINT chat_message_sender FOREIGN KEY (sender_id) REFERENCES user (uid),
  CONSTRAINT chat_message_status CHECK (status IN (0, 2))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- P3, P7, P8: what happens to a user's threads is numbered for that user, behind the lock of this row, so that the
-- numbers become visible in their order, and a client that was away asks for what is new at the price of what is new
CREATE TABLE user_version (
  user_id BIGINT UNSIGNED NOT NULL,
  version BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (user_id),
  CONSTRAINT user_version_user FOREIGN KEY (user_id) REFERENCES user (uid)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- a thread as one of its members has it: when something last happened to it (version), when somebody last wrote into it
-- (activity: B10, K5), how far the member has read, a number that only moves forward, and how many of others' messages
-- they have not (G5, instead of a status on each message); how far one of the member's devices has it (S12, instead of a
-- row for each message and member)
CREATE TABLE user_thread (
  user_id BIGINT UNSIGNED NOT NULL,
  thread_id BIGINT UNSIGNED NOT NULL,
  version BIGINT UNSIGNED NOT NULL,
  activity BIGINT UNSIGNED NOT NULL DEFAULT 0,
  read_seq BIGINT UNSIGNED NOT NULL DEFAULT 0,
  unread INT UNSIGNED NOT NULL DEFAULT 0,
  delivered_seq BIGINT UNSIGNED NOT NULL DEFAULT 0,
  PRIMARY KEY (user_id, thread_id),
  KEY idx_user_version (user_id, version),
  KEY idx_user_activity (user_id, activity),
  KEY idx_thread (thread_id),
  CONSTRAINT user_thread_user FOREIGN KEY (user_id) REFERENCES user (uid),
  CONSTRAINT user_thread_thread FOREIGN KEY (thread_id) REFERENCES chat_thread (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- S11: an attachment is a row from the first byte on. With the length of its file it says where an upload goes on, and
-- one that was never sent is found again, and removed
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

-- how much a user has uploaded; the lock of this row keeps uploads that begin at once within the quota
CREATE TABLE user_files (
  user_id BIGINT UNSIGNED NOT NULL,
  bytes BIGINT UNSIGNED NOT NULL DEFAULT 0,
  PRIMARY KEY (user_id),
  CONSTRAINT user_files_user FOREIGN KEY (user_id) REFERENCES user (uid)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
