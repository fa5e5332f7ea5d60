"""Files of tables: SQL, or what SHOW CREATE TABLE has printed."""

import pytest

from chatsim.conformance.deadlock_draft.tables import made, table_statements, without_schemas

ITEM = """\
CREATE TABLE `item` (
  `id` int NOT NULL,
  `name` varchar(9) DEFAULT 'a;b',
  PRIMARY KEY (`id`)
) ENGINE=InnoDB"""
BILL = """\
CREATE TABLE `bill` (
  `id` int NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB"""


def vertical(name, table):
    row = f"{'*' * 27} 1. row {'*' * 27}"
    head = f"mysql> SHOW CREATE TABLE {name}\\G\n{row}\n       Table: {name}\n"
    return f"{head}Create Table: {table}\n1 row in set (0.00 sec)\n"


def box(name, table):
    rule = "+-------+--------------+"
    return f"{rule}\n| Table | Create Table |\n{rule}\n| {name}  | {table} |\n{rule}\n1 row in set (0.00 sec)\n"


FORMS = {
    "SQL": f"{ITEM};\n\n-- and\n{BILL};\n",
    "without semicolons": f"{ITEM}\n\n{BILL}\n",
    "vertical": vertical("item", ITEM) + "\n" + vertical("bill", BILL),
    "boxes": box("item", ITEM) + box("bill", BILL),
    "a dump": "-- MySQL dump 10.13\n/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;\n"
    f"/*!50503 SET NAMES utf8mb4 */;\nUSE `shop`;\nDROP TABLE IF EXISTS `item`;\n{ITEM};\n{BILL};\n"
    "/*!40101 SET character_set_client = @saved_cs_client */;\n",
    "batch": f"Table\tCreate Table\nitem\t{ITEM}\nTable\tCreate Table\nbill\t{BILL}\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_forms(form):
    found = table_statements(FORMS[form])
    assert [" ".join(each.split()) for each in found] == [" ".join(each.split()) for each in (ITEM, BILL)]
    assert sorted(made(found)) == ["bill", "item"]


def test_only_the_schemas_of_the_report_are_taken_away():
    sql = "UPDATE shop.item, other.item SET shop.item.a = 'shop.item', myshop.b = \"shop.c\" WHERE `shop`.`item`.id = 1"
    assert without_schemas(sql, {"shop", ""}) == (
        "UPDATE item, other.item SET item.a = 'shop.item', myshop.b = \"shop.c\" WHERE `item`.id = 1"
    )


def test_a_child_may_come_before_its_parent():
    child = BILL.replace("PRIMARY", "`item` int,\n  FOREIGN KEY (`item`) REFERENCES `item` (`id`),\n  PRIMARY")
    found = table_statements(f"{child};\n{ITEM};")
    assert found[0] == "SET foreign_key_checks = 0"
    assert found[-1] == "SET foreign_key_checks = 1"
    assert [each.parent.name for each in made(found)["bill"].parents] == ["item"]
