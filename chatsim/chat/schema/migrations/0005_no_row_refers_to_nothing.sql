-- K1, K2: foreign keys. A row that refers to a user or a thread that is not there stops this, and is named.
ALTER TABLE friend
  ADD KEY friend_of (friend_id),
  ADD CONSTRAINT friend_self FOREIGN KEY (self_id) REFERENCES user (uid),
  ADD CONSTRAINT friend_friend FOREIGN KEY (friend_id) REFERENCES user (uid);
ALTER TABLE friend_apply
  ADD KEY apply_to (to_uid),
  ADD CONSTRAINT apply_from FOREIGN KEY (from_uid) REFERENCES user (uid),
  ADD CONSTRAINT apply_to FOREIGN KEY (to_uid) REFERENCES user (uid);
ALTER TABLE private_chat
  ADD CONSTRAINT private_chat_thread FOREIGN KEY (thread_id) REFERENCES chat_thread (id),
  ADD CONSTRAINT private_chat_user1 FOREIGN KEY (user1_id) REFERENCES user (uid),
  ADD CONSTRAINT private_chat_user2 FOREIGN KEY (user2_id) REFERENCES user (uid);
ALTER TABLE group_chat ADD CONSTRAINT group_chat_thread FOREIGN KEY (thread_id) REFERENCES chat_thread (id);
ALTER TABLE group_chat_member
  ADD CONSTRAINT group_chat_member_thread FOREIGN KEY (thread_id) REFERENCES chat_thread (id),
  ADD CONSTRAINT group_chat_member_user FOREIGN KEY (user_id) REFERENCES user (uid);
ALTER TABLE chat_message
  ADD CONSTRAINT chat_message_thread FOREIGN KEY (thread_id) REFERENCES chat_thread (id),
  ADD CONSTRAINT chat_message_sender FOREIGN KEY (sender_id) REFERENCES user (uid);
