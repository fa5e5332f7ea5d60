-- T2: a pair that was written both ways has two threads; the older one takes the messages of the other, and their order.
UPDATE chat_message m
  JOIN private_chat newer ON newer.thread_id = m.thread_id
  JOIN private_chat older ON older.user1_id = newer.user2_id AND older.user2_id = newer.user1_id
   SET m.thread_id = older.thread_id, m.updated_at = m.updated_at
 WHERE older.thread_id < newer.thread_id;
DELETE newer, thread
  FROM private_chat newer
  JOIN private_chat older ON older.user1_id = newer.user2_id AND older.user2_id = newer.user1_id
  JOIN chat_thread thread ON thread.id = newer.thread_id
 WHERE older.thread_id < newer.thread_id;
-- what is left is turned the right way round; DISTINCT has the pairs read before they are written
UPDATE private_chat p
  JOIN (SELECT DISTINCT thread_id, user1_id, user2_id FROM private_chat WHERE user1_id > user2_id) q
    ON q.thread_id = p.thread_id
   SET p.user1_id = q.user2_id, p.user2_id = q.user1_id;
ALTER TABLE private_chat ADD CONSTRAINT private_chat_ordered CHECK (user1_id < user2_id);
