"""The pools of many profiles, and the choice among them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import peewee
import pytest

from dbtool.connect import open_profile
from dbtool.errors import DbtoolError, GuardError, ProfileError, UsageError
from dbtool.switching.databases import Databases
from tests.pool.stub import Borrower, Call
from tests.profiles.world import World
from tests.switching.shop import Shop, declare_shop, run_in_thread


def read_place(shop: Shop) -> str:
    return str(shop.Customer.get().name)


class TestChoice:
    """What is current."""

    def test_begins_with_the_active_profile(self, databases: Databases, shop: Shop) -> None:
        assert databases.current_name == "a"
        assert read_place(shop) == "a"

    def test_follows_the_environment(self, world: World) -> None:
        world.variables["DBTOOL_PROFILE"] = "b"
        with Databases(world.environment) as databases:
            assert databases.current_name == "b"

    def test_a_switch_counts_for_every_thread(self, databases: Databases, shop: Shop) -> None:
        run_in_thread(lambda: databases.switch("b"))

        assert read_place(shop) == "b"
        assert run_in_thread(lambda: read_place(shop)) == "b"

    def test_a_block_counts_for_its_thread_alone(self, databases: Databases, shop: Shop) -> None:
        with databases.using("b"):
            assert read_place(shop) == "b"
            assert run_in_thread(lambda: read_place(shop)) == "a"
        assert read_place(shop) == "a"

    def test_blocks_nest_and_a_switch_inside_waits_for_their_end(self, databases: Databases) -> None:
        with databases.using("b"):
            with databases.using("a"):
                databases.switch("guarded")
                assert databases.current_name == "a"
            assert databases.current_name == "b"
        assert databases.current_name == "guarded"

    def test_blocks_of_one_thread_end_in_any_order(self, databases: Databases) -> None:
        first, second = databases.using("b"), databases.using("guarded")
        first.__enter__()
        second.__enter__()
        first.__exit__()
        assert databases.current_name == "guarded"
        second.__exit__()
        assert databases.current_name == "a"

    def test_a_block_decorates_a_function(self, databases: Databases) -> None:
        @databases.using("b")
        def find() -> str:
            return databases.current_name

        assert [find(), find(), databases.current_name] == ["b", "b", "a"]

    def test_a_block_decorates_a_coroutine(self, databases: Databases) -> None:
        @databases.using("b")
        async def find() -> str:
            await asyncio.sleep(0)
            return databases.current_name

        assert asyncio.run(find()) == "b"

    def test_a_block_decorates_no_generator(self, databases: Databases) -> None:
        def find() -> Iterator[str]:
            yield databases.current_name

        with pytest.raises(UsageError, match="find is a generator"):
            databases.using("b")(find)

    def test_an_error_ends_a_block(self, databases: Databases) -> None:
        with pytest.raises(ZeroDivisionError), databases.using("b"):
            raise ZeroDivisionError
        assert databases.current_name == "a"

    def test_two_sets_of_databases_do_not_mix(self, databases: Databases, world: World) -> None:
        with Databases(world.environment) as others, others.using("guarded"), databases.using("b"):
            assert (databases.current_name, others.current_name) == ("b", "guarded")

    def test_an_unknown_name_is_refused_at_once(self, databases: Databases) -> None:
        for use in (databases.using, databases.switch, databases.__getitem__):
            with pytest.raises(ProfileError, match="no profile is named 'c'"):
                use("c")
        assert databases.current_name == "a"

    def test_names_a_path(self, databases: Databases, world: World) -> None:
        path = world.root / "other.db"
        path.touch()
        with databases.using(str(path)):
            assert databases.current.execute_sql("SELECT 1").fetchone() == (1,)
            assert databases.current_name == str(path)


class TestTasks:
    """asyncio."""

    def test_tasks_are_apart(self, databases: Databases, shop: Shop) -> None:
        async def look(name: str, turns: asyncio.Barrier) -> tuple[str, str, int]:
            with databases.using(name):
                await turns.wait()
                with databases.current.connection_context() as connection:
                    before = read_place(shop)
                    await turns.wait()
                    return before, read_place(shop), id(connection)

        async def main() -> list[tuple[str, str, int]]:
            turns = asyncio.Barrier(4)
            return await asyncio.gather(*(look(name, turns) for name in "abab"))

        found = asyncio.run(main())

        assert [(before, after) for before, after, _ in found] == [(name, name) for name in "abab"]
        assert len({connection for _, _, connection in found}) == 4

    def test_threads_of_tasks_keep_their_choice(self, databases: Databases, shop: Shop) -> None:
        def read() -> str:
            with databases.current.connection_context():
                return read_place(shop)

        async def look(name: str) -> str:
            with databases.using(name):
                return await asyncio.to_thread(read)

        async def main() -> list[str]:
            return await asyncio.gather(*(look(name) for name in "abab"))

        assert asyncio.run(main()) == list("abab")

    def test_a_switch_reaches_running_tasks(self, databases: Databases) -> None:
        async def main() -> list[str]:
            ready = asyncio.Event()

            async def look() -> str:
                await ready.wait()
                return databases.current_name

            task = asyncio.create_task(look())
            databases.switch("b")
            ready.set()
            return [await task]

        assert asyncio.run(main()) == ["b"]


class TestPools:
    """One pool per profile."""

    def test_declaring_models_reads_no_profile(self, tmp_path: Path) -> None:
        world = World(root=tmp_path)
        world.write_user("not TOML")
        with Databases(world.environment) as databases:
            declare_shop(databases)
            with pytest.raises(ProfileError, match="profiles"):
                _ = databases.current_name

    def test_one_however_it_is_named(self, databases: Databases) -> None:
        assert isinstance(databases["a"], peewee.SqliteDatabase)
        assert databases["a"] is databases.current.obj
        with databases.using("a"):
            assert databases["a"] is databases.current.obj
        assert databases["a"] is not databases["b"]

    def test_many_threads_make_one(self, databases: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
        opened: list[str] = []
        together = threading.Barrier(8)
        making = open_profile

        def open_slowly(environment: Any, profile: Any, *, write: bool) -> Any:
            opened.append(profile.name)
            _ = databases["b"]  # While one is being made, another can be: no lock is held.
            return making(environment, profile, write=write)

        def find() -> Any:
            together.wait()
            return databases["a"]

        _ = databases["b"]
        monkeypatch.setattr("dbtool.switching.databases.open_profile", open_slowly)
        with ThreadPoolExecutor(8) as executor:
            found = {id(future.result()) for future in [executor.submit(find) for _ in range(8)]}

        assert len(found) == 1
        assert opened == ["a"]

    def test_a_secret_is_asked_for_once_and_late(self, tmp_path: Path) -> None:
        world = World(root=tmp_path)
        world.write_user("""
            [profiles.shop]
            engine = "postgresql"
            host = "127.0.0.1"
            database = "shop"
            password = { command = ["sh", "-c", "echo asked >> asked; echo secret"] }
        """)
        with Databases(world.environment) as databases:
            shop = declare_shop(databases)
            databases.switch("shop")
            shop.Customer.select()
            asked = [path.read_text() for path in world.root.rglob("asked")]
            assert not asked
            assert databases.current.obj is databases["shop"]
        assert [path.read_text() for path in world.root.rglob("asked")] == ["asked\n"]

    def test_a_failure_is_not_kept(self, databases: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object, **_options: object) -> None:
            raise ProfileError("no secret")

        with monkeypatch.context() as patch:
            patch.setattr("dbtool.switching.databases.open_profile", fail)
            with pytest.raises(ProfileError, match="no secret"):
                _ = databases["a"]

        assert databases["a"].execute_sql("SELECT 1").fetchone() == (1,)

    def test_all_end_together(self, databases: Databases) -> None:
        pools = [databases["a"], databases["b"]]
        pools[0].connect()

        assert databases.shutdown(0)

        for use in (pools[0].connect, pools[1].connect, lambda: databases["guarded"]):
            with pytest.raises(DbtoolError, match="shut down"):
                use()

    @pytest.mark.timing
    def test_a_shutdown_ends_all_at_once_though_one_has_to_be_waited_for(self, databases: Databases) -> None:
        pools = [databases["a"], databases["b"]]
        borrower = Borrower(pools[0]).start()
        ending = Call(lambda: databases.shutdown(30))
        assert not ending.is_done(0.02)

        with pytest.raises(DbtoolError, match="shut down"):
            pools[1].connect()
        borrower.finish()
        assert ending.result() is True

    @pytest.mark.timing
    def test_a_shutdown_waits_no_longer_than_it_is_told(self, databases: Databases) -> None:
        pools = [databases["a"], databases["b"]]
        held, done = threading.Event(), threading.Event()

        def hold() -> None:
            for pool in pools:
                pool.connect()
            held.set()
            done.wait(30)

        with closing_thread(hold, done):
            held.wait(30)
            assert not databases.shutdown(0.01)

    def test_one_that_opens_during_the_shutdown_ends_too(
        self, databases: Databases, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        opened: list[Any] = []
        making = open_profile

        def open_late(*arguments: Any, **options: Any) -> Any:
            databases.shutdown(0)
            opened.append(making(*arguments, **options))
            return opened[0]

        monkeypatch.setattr("dbtool.switching.databases.open_profile", open_late)
        with pytest.raises(DbtoolError, match=r"'a'.*shut down"):
            _ = databases["a"]
        with pytest.raises(DbtoolError, match="shut down"):
            opened[0].connect()


class TestGuards:
    """Profiles that only read."""

    @pytest.mark.parametrize("name", ["guarded", "sealed"])
    def test_guarded_profiles_only_read(self, databases: Databases, world: World, name: str) -> None:
        next(world.root.rglob("profiles.toml")).with_name(f"{name}.db").touch()
        with databases.using(name), pytest.raises(peewee.OperationalError, match="readonly"):
            databases.current.execute_sql("CREATE TABLE t (x)")

    def test_named_ones_may_write(self, world: World) -> None:
        with Databases(world.environment, write=("guarded",)) as databases, databases.using("guarded"):
            databases.current.execute_sql("CREATE TABLE t (x)")

    def test_nothing_lifts_read_only(self, world: World) -> None:
        with Databases(world.environment, write=["sealed"]) as databases, pytest.raises(GuardError, match="'sealed'"):
            databases.using("sealed")

    def test_who_may_write_has_to_exist(self, world: World) -> None:
        with Databases(world.environment, write=["guardd"]) as databases, pytest.raises(ProfileError, match="'guardd'"):
            databases.using("a")

    def test_one_text_is_no_collection_of_names(self, world: World) -> None:
        with pytest.raises(UsageError, match=r"write=\('guarded',\)"):
            Databases(world.environment, write="guarded")


def closing_thread(work: Any, done: threading.Event) -> Any:
    """Run a thread beside a block, and tell it at the end of the block that it is done."""

    class Running:
        def __init__(self) -> None:
            self.thread = threading.Thread(target=work)
            self.thread.start()

        def close(self) -> None:
            done.set()
            self.thread.join(30)

    return closing(Running())


def count_wrong(databases: Databases, shop: Shop, bind: Any, seconds: float) -> tuple[int, int]:
    """Read from two databases in two threads each; return how many reads there were and how many were wrong."""
    deadline = threading.Event()

    def read(name: str) -> Iterator[bool]:
        while not deadline.is_set():
            with bind(databases, shop, name):
                query = shop.Customer.select(shop.Customer.name)
                yield query.get().name == name
            yield query.get().name == name

    timer = threading.Timer(seconds, deadline.set)
    timer.start()
    with ThreadPoolExecutor(4) as executor:
        reads = list(executor.map(lambda name: list(read(name)), "abab"))
    timer.join()
    return sum(map(len, reads)), sum(found.count(False) for found in reads)


@pytest.mark.parametrize(
    "bind",
    [
        pytest.param(lambda databases, _, name: databases.using(name), id="using"),
        pytest.param(lambda databases, shop, name: databases[name].bind_ctx([shop.Customer]), id="bind_ctx"),
        pytest.param(lambda databases, shop, name: shop.Customer.bind_ctx(databases[name]), id="of the model"),
    ],
)
def test_threads_never_read_from_another_s_database(databases: Databases, shop: Shop, bind: Any) -> None:
    stop = threading.Event()

    def switch_about() -> None:
        while not stop.wait(0.0005):
            databases.switch("b" if databases.current_name == "a" else "a")

    with closing_thread(switch_about, stop):
        reads, wrong = count_wrong(databases, shop, bind, 1.0)

    assert reads > 200
    assert wrong == 0
