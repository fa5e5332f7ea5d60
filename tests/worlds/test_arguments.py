"""Arguments of all types that SQL has come back as they went, in both worlds."""

from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest

MOMENT = datetime.fromisoformat("2026-01-02T03:04:05.000006")
COLUMNS = {
    "i INT": 7,
    "f DOUBLE": 1.25,
    "d DECIMAL(8, 2)": Decimal("-12.50"),
    "s VARCHAR(20)": "it's ?",
    "b VARBINARY(9)": b"\x00\xff",
    "m DATETIME(6)": MOMENT,
    "e DATE": date(2026, 1, 2),
    "t TIME": -timedelta(hours=30, seconds=1),
    "n INT": None,
}


async def come_back(world):
    values = tuple(COLUMNS.values())
    await world.admin.execute(f"CREATE TABLE sent ({', '.join(COLUMNS)})")
    try:
        async with world.database(1) as database, database.session() as tx:
            await tx.execute(f"INSERT INTO sent VALUES ({', '.join('?' * len(values))})", values)
            which = (Decimal("-12.50"), MOMENT, timedelta(hours=-30))
            (row,) = (await tx.execute("SELECT * FROM sent WHERE d = ? AND m >= ? AND t < ?", which)).rows
            assert row == values
            with pytest.raises(TypeError, match="no SQL literal for dict"):
                await tx.execute("SELECT ?", ({},))
    finally:
        await world.admin.execute("DROP TABLE sent")


@pytest.mark.worlds("model", "mysql")
def test_what_is_inserted_is_selected(world):
    world.in_world(come_back)
