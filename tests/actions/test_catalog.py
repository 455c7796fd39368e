from dbtool.actions.catalog import Answers, order_by_waits
from dbtool.result import Column


def ordered(*waits: tuple[int, str | None]) -> list[object]:
    return [row[0] for row in order_by_waits(Answers([Column("id"), Column("blocked_by")], list(waits)))]


def test_who_waits_stands_behind_the_first_of_its_blockers_that_waits_for_nobody() -> None:
    # As PostgreSQL tells it: who is behind others in the queue names those, too.
    assert ordered((3, "2,1"), (2, "1"), (1, None), (5, "4"), (4, None)) == ["1", "  3", "  2", "4", "  5"]


def test_a_chain_is_set_in_by_a_step_for_each_that_waits() -> None:
    assert ordered((3, "2"), (2, "1"), (1, "")) == ["1", "  2", "    3"]


def test_sessions_that_wait_for_each_other_come_last_each_once() -> None:
    assert ordered((2, "3"), (3, "2"), (5, "4"), (4, None), (6, "6")) == ["4", "  5", "2", "  3", "6"]


def test_a_blocker_that_is_not_seen_leaves_its_waiters_at_the_margin() -> None:
    assert ordered((2, "99")) == ["2"]


def test_thousands_that_wait_are_ordered_however_they_wait() -> None:
    queue = ordered((0, None), *((n, ",".join(map(str, range(n)))) for n in range(1, 1500)))
    assert queue[:3] == ["0", "  1", "  2"]
    assert len(queue) == 1500
    chain = ordered(*((n, str(n - 1) if n else None) for n in range(3000)))
    assert chain[2999] == "  " * 2999 + "2999"
