from __future__ import annotations

import contextlib
import errno
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dbtool.bench.proxy import Proxy
from tests.servers import processes
from tests.servers.mariadb import MariaDbServer
from tests.servers.postgres import PostgresServer

SILENCE = 0.2
FOREVER = 60.0
"""A delay that no test waits out."""

Serve = Callable[[socket.socket], object]


@contextlib.contextmanager
def served(listener: socket.socket, serve: Serve) -> Iterator[None]:
    """Run `serve` in a thread of its own for each connection, until it returns or the connection breaks."""
    clients: list[threading.Thread] = []

    def answer(connection: socket.socket) -> None:
        with connection, contextlib.suppress(ConnectionError):
            serve(connection)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                clients.append(threading.Thread(target=answer, args=(connection,)))
                clients[-1].start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        acceptor.join()
        for client in clients:
            client.join()


@contextlib.contextmanager
def proxied(serve: Serve) -> Iterator[Proxy]:
    """A proxy before a server on a port."""
    with (
        socket.create_server((processes.HOST, 0)) as listener,
        served(listener, serve),
        Proxy((processes.HOST, listener.getsockname()[1])) as proxy,
    ):
        yield proxy


def echo(connection: socket.socket) -> None:
    """Send back what comes, until the client has ended its side."""
    while data := connection.recv(65_536):
        connection.sendall(data)


def answer_lines(connection: socket.socket) -> None:
    """Answer each line in two pieces, once it is complete."""
    lines = connection.makefile("rb")
    for _ in lines:
        connection.sendall(b"o")
        time.sleep(0.02)
        connection.sendall(b"k")


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """A proxy before a server that echoes."""
    with proxied(echo) as proxy:
        yield proxy


@contextlib.contextmanager
def connected(proxy: Proxy) -> Iterator[socket.socket]:
    with socket.create_connection((proxy.host, proxy.port), timeout=10) as client:
        yield client


def exchange(client: socket.socket, data: bytes) -> bytes:
    client.sendall(data)
    return receive(client, len(data))


def receive(client: socket.socket, size: int) -> bytes:
    answer = b""
    while len(answer) < size and (piece := client.recv(size - len(answer))):
        answer += piece
    return answer


def is_silent(client: socket.socket) -> bool:
    client.settimeout(SILENCE)
    try:
        client.recv(1)
    except TimeoutError:
        return True
    finally:
        client.settimeout(10)
    return False


def eventually(condition: Callable[[], bool]) -> bool:
    return processes.wait_until(condition, seconds=10)


class TestForwarding:
    """A proxy that nobody has broken yet."""

    def test_brings_out_whole_what_went_in(self, proxy: Proxy) -> None:
        data = bytes(range(256)) * 131_072
        with connected(proxy) as client:
            sender = threading.Thread(target=client.sendall, args=(data,))
            sender.start()
            assert receive(client, len(data)) == data
            sender.join()

    def test_leaves_one_direction_open_when_the_other_has_ended(self, proxy: Proxy) -> None:
        with connected(proxy) as client:
            client.sendall(b"last words")
            client.shutdown(socket.SHUT_WR)
            assert receive(client, 100) == b"last words"

    def test_reaches_a_server_at_a_unix_socket(self) -> None:
        path = processes.make_directory() / "s"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen()
            with served(listener, echo), Proxy(str(path)) as proxy, connected(proxy) as client:
                assert exchange(client, b"by file") == b"by file"
        path.unlink()
        path.parent.rmdir()

    def test_tries_each_address_of_a_host(self) -> None:
        # The name may stand for ::1 first, where nobody listens.
        with (
            socket.create_server((processes.HOST, 0)) as listener,
            served(listener, echo),
            Proxy(("localhost", listener.getsockname()[1])) as proxy,
            connected(proxy) as client,
        ):
            assert exchange(client, b"by name") == b"by name"

    @pytest.mark.timing
    def test_sends_small_pieces_at_once(self) -> None:
        """Nagle's algorithm would keep the second piece of each answer until the first is acknowledged."""

        def answer(connection: socket.socket) -> None:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while connection.recv(1):
                for piece in (b"o", b"k"):
                    connection.sendall(piece)
                    time.sleep(0.005)

        with proxied(answer) as proxy, connected(proxy) as client:
            start = time.monotonic()
            for _ in range(20):
                client.sendall(b"x")
                assert receive(client, 2) == b"ok"
            assert time.monotonic() - start < 0.5

    def test_makes_a_sender_wait_for_a_receiver_that_does_not_read(self) -> None:
        may_end = threading.Event()
        with proxied(lambda _: may_end.wait(30)) as proxy, connected(proxy) as client:
            client.settimeout(0.5)
            with pytest.raises(TimeoutError):
                client.sendall(bytes(2**27))
            may_end.set()

    def test_goes_on_once_a_slow_receiver_reads(self) -> None:
        may_read = threading.Event()

        def read_late(connection: socket.socket) -> None:
            may_read.wait(30)
            connection.sendall(str(sum(len(data) for data in iter(lambda: connection.recv(2**20), b""))).encode())

        with proxied(read_late) as proxy, connected(proxy) as client:
            threading.Timer(0.3, may_read.set).start()
            client.sendall(bytes(2**26))
            client.shutdown(socket.SHUT_WR)
            assert receive(client, 100) == str(2**26).encode()

    def test_carries_encrypted_connections(self, postgres_tls: PostgresServer) -> None:
        files = postgres_tls.certificates
        assert files
        with (
            Proxy(postgres_tls.address) as proxy,
            closing(
                postgres_tls.connect(host="localhost", port=proxy.port, sslmode="verify-full", sslrootcert=files.ca)
            ) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute("select ssl from pg_stat_ssl where pid = pg_backend_pid()")
            assert cursor.fetchall() == [(True,)]


class TestDelaying:
    """A proxy that holds data back."""

    def test_takes_effect_in_both_directions(self, proxy: Proxy) -> None:
        with connected(proxy) as client:
            proxy.delay(0.1)
            start = time.monotonic()
            assert exchange(client, b"slow") == b"slow"
            assert time.monotonic() - start >= 0.2

    @pytest.mark.timing
    def test_counts_from_the_arrival_of_each_piece(self, proxy: Proxy) -> None:
        with connected(proxy) as client:
            proxy.delay(0.2)
            start = time.monotonic()
            for _ in range(10):
                client.send(b"x")
                time.sleep(0.02)
            assert receive(client, 10) == b"x" * 10
            assert 0.58 <= time.monotonic() - start < 1.2

    @pytest.mark.timing
    def test_does_not_divide_the_bandwidth(self, proxy: Proxy) -> None:
        data = bytes(8 * 2**20)
        with connected(proxy) as client:
            proxy.delay(0.05)
            start = time.monotonic()
            sender = threading.Thread(target=client.sendall, args=(data,))
            sender.start()
            assert receive(client, len(data)) == data
            sender.join()
            assert time.monotonic() - start < 2

    def test_ends_for_what_is_held_back_when_restored(self, proxy: Proxy) -> None:
        with connected(proxy) as client:
            exchange(client, b"before")
            proxy.delay(FOREVER)
            client.sendall(b"held")
            assert is_silent(client)
            proxy.restore()
            assert receive(client, 4) == b"held"

    def test_holds_the_end_of_a_connection_back_too(self) -> None:
        with proxied(lambda connection: connection.recv(1)) as proxy, connected(proxy) as client:
            proxy.delay(FOREVER)
            client.sendall(b"x")
            assert is_silent(client)
            proxy.restore()
            assert client.recv(1) == b""


class TestHanging:
    """A proxy that is a black hole."""

    def test_is_silent_on_open_and_new_connections(self, proxy: Proxy) -> None:
        with connected(proxy) as client:
            exchange(client, b"before")
            proxy.hang()
            with connected(proxy) as late:
                for waiting in (client, late):
                    waiting.sendall(b"held")
                    assert is_silent(waiting)
                proxy.restore()
                assert (receive(client, 4), receive(late, 4)) == (b"held", b"held")

    def test_is_silent_while_its_server_is_away(self) -> None:
        with Proxy((processes.HOST, processes.find_free_port())) as proxy:
            proxy.hang()
            with connected(proxy) as client:
                assert is_silent(client)

    def test_spares_the_server_those_who_gave_up_meanwhile(self) -> None:
        seen: list[socket.socket] = []
        with proxied(seen.append) as proxy:
            proxy.hang()
            for _ in range(3):
                with connected(proxy) as client:
                    client.sendall(b"anybody there?")
            assert eventually(lambda: proxy.accepted == 3 and proxy.open_connections == 0)
            proxy.restore()
            with connected(proxy) as late:
                late.recv(1)
        assert len(seen) == 1


class TestRefusing:
    """A proxy that does not listen."""

    def test_concerns_new_connections_alone(self, proxy: Proxy) -> None:
        with connected(proxy) as client:
            exchange(client, b"before")
            proxy.refuse()
            proxy.refuse()
            with pytest.raises(ConnectionRefusedError), connected(proxy):
                pass
            assert exchange(client, b"still open") == b"still open"

    def test_lets_in_who_came_before(self, proxy: Proxy) -> None:
        for _ in range(20):
            with connected(proxy) as client:
                proxy.refuse()
                assert exchange(client, b"in time") == b"in time"
            proxy.restore()

    def test_keeps_the_port(self, proxy: Proxy) -> None:
        port = proxy.port
        proxy.refuse()
        with socket.socket() as other, pytest.raises(OSError) as caught:  # noqa: PT011
            other.bind((proxy.host, port))
        assert caught.value.errno == errno.EADDRINUSE
        proxy.restore()
        assert proxy.port == port
        with connected(proxy) as client:
            assert exchange(client, b"again") == b"again"


class TestCutting:
    """A proxy that breaks a connection within an answer."""

    def test_lets_so_many_bytes_through_and_resets(self, proxy: Proxy) -> None:
        proxy.cut_after(5)
        with connected(proxy) as client:
            client.sendall(b"more than five")
            assert receive(client, 5) == b"more "
            with pytest.raises(ConnectionResetError):
                client.recv(1)

    def test_counts_over_several_answers(self, proxy: Proxy) -> None:
        proxy.cut_after(6)
        with connected(proxy) as client:
            assert exchange(client, b"1234") == b"1234"
            client.sendall(b"5678")
            assert receive(client, 2) == b"56"
            with pytest.raises(ConnectionResetError):
                client.recv(1)

    def test_sends_nothing_more_where_so_many_have_passed(self, proxy: Proxy) -> None:
        with connected(proxy) as client:
            exchange(client, b"123456")
            proxy.cut_after(5)
            client.sendall(b"7")
            with pytest.raises(ConnectionResetError):
                client.recv(1)


class TestResetting:
    """A proxy that breaks all connections at once."""

    def test_ends_open_connections_and_no_later_ones(self, proxy: Proxy) -> None:
        with connected(proxy) as client:
            exchange(client, b"before")
            proxy.reset_all()
            with pytest.raises(ConnectionResetError):
                client.recv(1)
        with connected(proxy) as late:
            assert exchange(late, b"after") == b"after"

    def test_has_happened_when_it_returns(self, proxy: Proxy) -> None:
        for _ in range(20):
            with connected(proxy) as client:
                proxy.reset_all()
                client.setblocking(False)
                with pytest.raises(ConnectionResetError):
                    client.recv(1)

    def test_reaches_the_server(self) -> None:
        ends: list[str] = []

        def note_end(connection: socket.socket) -> None:
            try:
                connection.recv(1)
            except ConnectionResetError:
                ends.append("reset")

        with proxied(note_end) as proxy, connected(proxy):
            time.sleep(0.05)
            proxy.reset_all()
            assert eventually(lambda: ends == ["reset"])


class TestServersThatLeave:
    """What the proxy makes of them is what the client would see of them."""

    def test_reset_who_comes_while_they_are_away_and_serve_who_comes_later(self) -> None:
        port = processes.find_free_port()
        with Proxy((processes.HOST, port)) as proxy:
            # The reset may come while the client still connects.
            with pytest.raises(ConnectionResetError), connected(proxy) as client:
                client.recv(1)
            with (
                socket.create_server((processes.HOST, port)) as listener,
                served(listener, echo),
                connected(proxy) as client,
            ):
                assert exchange(client, b"back") == b"back"

    def test_have_their_last_words_delivered_before_the_reset(self) -> None:
        def speak_and_break(connection: socket.socket) -> None:
            connection.recv(1)
            connection.sendall(b"goodbye")
            # Closed with data that nobody read: a reset.
            connection.recv(1, socket.MSG_PEEK)

        with proxied(speak_and_break) as proxy, connected(proxy) as client:
            proxy.delay(0.3)
            # The second and the third find the server gone while its words are still on the way.
            for piece in (b"xy", b"y", b"y"):
                client.sendall(piece)
                time.sleep(0.03)
            assert receive(client, 7) == b"goodbye"
            with pytest.raises(ConnectionResetError):
                client.recv(1)


class TestCounting:
    """What the proxy knows of its connections."""

    def test_of_connections_is_of_those_that_are_open(self, proxy: Proxy) -> None:
        with connected(proxy) as one, connected(proxy) as two:
            exchange(one, b"1")
            exchange(two, b"2")
            assert proxy.open_connections == 2
        assert eventually(lambda: proxy.open_connections == 0)
        with connected(proxy) as three:
            exchange(three, b"3")
            assert (proxy.open_connections, proxy.accepted, proxy.peak_connections) == (1, 3, 2)

    def test_of_connections_forgets_those_that_were_reset(self, proxy: Proxy) -> None:
        with connected(proxy) as client:
            exchange(client, b"before")
            proxy.reset_all()
            assert proxy.open_connections == 0

    def test_of_the_peak_is_exact_when_one_client_follows_the_other(self, proxy: Proxy) -> None:
        for _ in range(200):
            with connected(proxy) as client:
                exchange(client, b"hello")
                client.sendall(b"bye")
            with connected(proxy):
                pass
        assert eventually(lambda: proxy.accepted == 400)
        assert proxy.peak_connections == 1

    def test_of_a_client_that_left_in_a_hang_ends_at_once(self, proxy: Proxy) -> None:
        with connected(proxy) as client:
            exchange(client, b"before")
            proxy.hang()
        assert eventually(lambda: proxy.open_connections == 0)

    def test_of_round_trips_is_of_requests_whatever_their_pieces(self) -> None:
        with proxied(answer_lines) as proxy, connected(proxy) as client:
            assert proxy.round_trips == 0
            for number in range(1, 4):
                for piece in (b"a", b"b", b"\n"):
                    client.sendall(piece)
                    time.sleep(0.01)
                assert receive(client, 2) == b"ok"
                assert proxy.round_trips == number

    def test_of_round_trips_takes_pipelined_requests_for_one(self) -> None:
        with proxied(answer_lines) as proxy, connected(proxy) as client:
            client.sendall(b"one\ntwo\nthree\n")
            assert receive(client, 6) == b"okokok"
            assert proxy.round_trips == 1

    def test_of_round_trips_goes_by_what_the_client_could_know(self, proxy: Proxy) -> None:
        """The server has answered, and the client sends again before the answer has come."""
        with connected(proxy) as client:
            proxy.delay(0.2)
            for _ in range(4):
                client.sendall(b"x")
                time.sleep(0.08)
            assert receive(client, 4) == b"xxxx"
            assert proxy.round_trips == 1

    def test_of_round_trips_adds_up_connections(self, proxy: Proxy) -> None:
        with connected(proxy) as one, connected(proxy) as two:
            for client in (one, two, two):
                exchange(client, b"x")
        assert proxy.round_trips == 3

    def test_of_round_trips_does_not_count_a_server_that_speaks_first(self) -> None:
        def greet(connection: socket.socket) -> None:
            connection.sendall(b"hello")
            echo(connection)

        with proxied(greet) as proxy, connected(proxy) as client:
            receive(client, 5)
            assert proxy.round_trips == 0
            exchange(client, b"x")
            assert proxy.round_trips == 1

    def test_of_round_trips_is_exact_on_postgres(self, postgres: PostgresServer) -> None:
        with Proxy(postgres.address) as proxy, closing(postgres.connect(port=proxy.port)) as connection:
            for statements in (1, 1, 20):
                before = proxy.round_trips
                with connection.cursor() as cursor:
                    for _ in range(statements):
                        cursor.execute("select 1")
                assert proxy.round_trips == before + statements

            before = proxy.round_trips
            with connection.cursor() as cursor:
                cursor.execute("select repeat('x', 1000000)")
            assert proxy.round_trips == before + 1

    def test_of_round_trips_sees_the_transaction_of_postgres(self, postgres: PostgresServer) -> None:
        with Proxy(postgres.address) as proxy, closing(postgres.connect(port=proxy.port)) as connection:
            connection.autocommit = False
            before = proxy.round_trips
            with connection, connection.cursor() as cursor:
                cursor.execute("select 1")
            assert proxy.round_trips == before + 3

    def test_of_round_trips_is_exact_on_mariadb(self, mariadb: MariaDbServer) -> None:
        with Proxy(mariadb.address) as proxy, closing(mariadb.connect(port=proxy.port)) as connection:
            for statements in (1, 1, 20):
                before = proxy.round_trips
                with connection.cursor() as cursor:
                    for _ in range(statements):
                        cursor.execute("select 1")
                assert proxy.round_trips == before + statements

            before = proxy.round_trips
            with connection.cursor() as cursor:
                cursor.execute("select repeat('x', 1000000)")
            assert proxy.round_trips == before + 1


class TestLeaving:
    """A proxy at its end."""

    def test_closes_everything(self) -> None:
        before = count_open_files()
        with proxied(echo) as proxy, contextlib.ExitStack() as clients:
            for fault in (proxy.restore, proxy.hang, proxy.refuse):
                client = clients.enter_context(connected(proxy))
                client.sendall(b"x")
                fault()
            proxy.__exit__(None, None, None)
            with pytest.raises(ConnectionRefusedError), connected(proxy):
                pass
            proxy.__enter__()
        assert "proxy" not in {thread.name for thread in threading.enumerate()}
        assert count_open_files() == before

    def test_resets_who_is_connected(self) -> None:
        with contextlib.ExitStack() as clients:
            with proxied(echo) as proxy:
                idle = clients.enter_context(connected(proxy))
                exchange(idle, b"before")
                proxy.delay(FOREVER)
                idle.sendall(b"held")
                fresh = clients.enter_context(connected(proxy))
            for client in (idle, fresh):
                with pytest.raises(ConnectionResetError):
                    client.recv(1)

    def test_survives_clients_that_vanish(self, proxy: Proxy) -> None:
        for _ in range(50):
            with connected(proxy) as client:
                client.sendall(bytes(100_000))
        with connected(proxy) as client:
            assert exchange(client, b"still there") == b"still there"
        assert eventually(lambda: proxy.open_connections == 0)


def count_open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))
