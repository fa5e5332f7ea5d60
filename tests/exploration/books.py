"""Small problems, of which each test explores some."""

from chatsim.conformance.transactions import parse
from chatsim.db.session import Isolation
from chatsim.exploration.choices import Switches
from chatsim.exploration.questions import ANSWERED, ENDS, NO_DEADLOCK
from chatsim.exploration.search import explore
from chatsim.exploration.serial_orders import serializable


def explored(text, isolation="REPEATABLE READ", *, copies=None, merges=True, prunes=False, **switches):
    """What an exploration of a file's transactions finds."""
    file = parse(text)
    problem = file.problem(copies=copies, isolation=Isolation(isolation), switches=Switches(**switches))
    questions = [ENDS, NO_DEADLOCK, ANSWERED, serializable(problem), *file.questions()]
    return explore(problem, questions, merges=merges, prunes=prunes)


def verdicts(found):
    """The questions whose answer is no."""
    return {name for name, proof in found.verdicts.items() if proof != "proved"}


ACCOUNTS = """
CREATE TABLE account (id INT PRIMARY KEY, balance INT NOT NULL);
INSERT INTO account VALUES (1, 100), (2, 100);
"""

TRANSFERS = (
    ACCOUNTS
    + """
-- transaction transfer(a, b)
UPDATE account SET balance = balance - 10 WHERE id = :a;
UPDATE account SET balance = balance + 10 WHERE id = :b;
-- call transfer(1, 2)
-- call transfer(2, 1)
-- assert no money is lost
SELECT 1 FROM account HAVING SUM(balance) <> 200;
"""
)

SORTED_TRANSFERS = TRANSFERS.replace("-- call transfer(2, 1)", "-- call transfer(1, 2)")

COUNTER = """
CREATE TABLE counter (id INT PRIMARY KEY, n INT NOT NULL);
INSERT INTO counter VALUES (1, 0);
-- transaction count
SELECT n INTO @n FROM counter WHERE id = 1;
UPDATE counter SET n = @n + 1 WHERE id = 1;
-- assert nothing is lost
SELECT 1 FROM counter WHERE n < 2;
"""

LOCKED_COUNTER = COUNTER.replace("WHERE id = 1;\nUPDATE", "WHERE id = 1 FOR UPDATE;\nUPDATE")

MISSING_ROW = """
CREATE TABLE setting (name VARCHAR(10) PRIMARY KEY, value INT);
-- transaction put
SELECT value FROM setting WHERE name = 'a' FOR UPDATE;
INSERT INTO setting VALUES ('a', 1);
"""

LAST_SEAT = """
CREATE TABLE seat (id INT PRIMARY KEY, taken_by INT);
CREATE TABLE booking (id INT AUTO_INCREMENT PRIMARY KEY, seat INT NOT NULL, who INT NOT NULL);
INSERT INTO seat VALUES (1, NULL);
-- transaction book(who)
SELECT COUNT(*) INTO @taken FROM booking WHERE seat = 1;
INSERT INTO booking (seat, who) SELECT 1, :who FROM DUAL WHERE @taken = 0;
-- call book(7)
-- call book(8)
-- assert the seat is sold once
SELECT seat FROM booking GROUP BY seat HAVING COUNT(*) > 1;
"""

QUEUE = """
CREATE TABLE job (id INT PRIMARY KEY, done INT NOT NULL DEFAULT 0, KEY (done));
INSERT INTO job VALUES (1, 0), (2, 0), (3, 0);
-- transaction work
SELECT id INTO @id FROM job WHERE done = 0 ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED;
UPDATE job SET done = done + 1 WHERE id = @id;
-- assert no job is done twice
SELECT id FROM job WHERE done > 1;
"""

TWO_KEYS = """
CREATE TABLE thing (id INT PRIMARY KEY, name VARCHAR(10) UNIQUE, n INT NOT NULL DEFAULT 0);
-- transaction put(id, name)
INSERT INTO thing VALUES (:id, :name, 0) ON DUPLICATE KEY UPDATE n = n + 1;
INSERT INTO thing VALUES (:id + 1, CONCAT(:name, '2'), 0) ON DUPLICATE KEY UPDATE n = n + 1;
-- call put(1, 'a')
-- call put(1, 'a')
"""

FAMILY = """
CREATE TABLE parent (id INT PRIMARY KEY, children INT NOT NULL DEFAULT 0);
CREATE TABLE child (id INT AUTO_INCREMENT PRIMARY KEY, parent INT NOT NULL,
  FOREIGN KEY (parent) REFERENCES parent (id));
INSERT INTO parent VALUES (1, 0);
-- transaction add
INSERT INTO child (parent) VALUES (1);
UPDATE parent SET children = children + 1 WHERE id = 1;
"""

OPPOSITE_SCANS = """
CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT, n INT NOT NULL DEFAULT 0, KEY a (a), KEY b (b));
INSERT INTO t VALUES (1, 1, 2, 0), (2, 2, 1, 0);
-- transaction up
UPDATE t FORCE INDEX (a) SET n = n + 1 WHERE a > 0;
-- transaction down
UPDATE t FORCE INDEX (b) SET n = n + 1 WHERE b > 0;
"""

OPPOSITE_INSERTS = """
CREATE TABLE t (id INT PRIMARY KEY);
-- transaction up
INSERT INTO t VALUES (1), (2);
-- transaction down
INSERT INTO t VALUES (2), (1);
"""
