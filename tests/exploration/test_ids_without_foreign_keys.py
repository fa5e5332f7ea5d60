"""An id that a rolled-back try has taken is no reason to call an outcome wrong, wherever the id is stored."""

from exploration.books import explored, verdicts

THREADS = """
CREATE TABLE thread (id INT AUTO_INCREMENT PRIMARY KEY);
CREATE TABLE chat (pair INT PRIMARY KEY, thread INT NOT NULL, turn INT NOT NULL);
-- transaction create(pair)
SELECT thread FROM chat WHERE pair = :pair FOR UPDATE;
INSERT INTO thread VALUES ();
INSERT INTO chat VALUES (:pair, LAST_INSERT_ID(), 1);
-- call create(1)
-- call create(2)
"""


def test_ids_in_columns_without_a_foreign_key_are_compared_by_their_order():
    found = explored(THREADS)
    assert found.retries == 1  # the victim of the deadlock takes another id
    assert verdicts(found) == {"deadlock"}


def test_a_row_with_another_value_beside_its_id_is_not_the_same():
    late = THREADS.replace("LAST_INSERT_ID(), 1)", "LAST_INSERT_ID(), @turn)").replace(
        "INSERT INTO thread", "SELECT COUNT(*) + 1 INTO @turn FROM chat;\nINSERT INTO thread"
    )
    assert verdicts(explored(late)) == {"deadlock", "serializable"}  # both are the first
