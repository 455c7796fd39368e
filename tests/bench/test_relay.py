from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from statistics import median
from typing import Any

import pytest

from dbtool.bench.faults.proxy import Proxy
from tests.bench.peers import (
    FOREVER,
    answer_lines,
    connected,
    echo,
    eventually,
    exchange,
    is_silent,
    proxied,
    receive,
    served,
)
from tests.servers import processes
from tests.servers.mariadb import MariaDbServer
from tests.servers.postgres import PostgresServer


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """A proxy before a server that echoes."""
    with proxied(echo) as proxy:
        yield proxy


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

    def test_brings_all_to_one_who_reads_after_the_end(self) -> None:
        """A reset would throw away what is still on its way."""
        with proxied(lambda connection: connection.sendall(bytes(2**20))) as proxy, socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect((proxy.host, proxy.port))
            client.settimeout(10)
            client.shutdown(socket.SHUT_WR)
            assert eventually(lambda: proxy.accepted == 1 and not proxy._connections)
            assert receive(client, 2**21) == bytes(2**20)

    def test_reaches_a_server_at_a_unix_socket(self) -> None:
        path = processes.make_directory() / "s"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen()
            with served(listener, echo), Proxy(str(path)) as proxy, connected(proxy) as client:
                assert exchange(client, b"by file") == b"by file"
        path.unlink()
        path.parent.rmdir()

    def test_tries_each_address_of_a_host(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As `localhost` may stand for ::1 first, where nobody listens."""
        dead = processes.find_free_port()
        really = socket.getaddrinfo

        def resolve(host: str, port: int, *arguments: Any, **options: Any) -> list[Any]:
            ports = (dead, port) if host == "server.test" else (port,)
            return [found for each in ports for found in really(processes.HOST, each, *arguments, **options)]

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        with (
            socket.create_server((processes.HOST, 0)) as listener,
            served(listener, echo),
            Proxy(("server.test", listener.getsockname()[1])) as proxy,
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
            took = []
            for _ in range(21):
                start = time.monotonic()
                client.sendall(b"x")
                assert receive(client, 2) == b"ok"
                took.append(time.monotonic() - start)
            assert median(took) < 0.03

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

    @pytest.mark.timing
    def test_takes_effect_in_both_directions(self, proxy: Proxy) -> None:
        with connected(proxy) as client:
            proxy.delay(0.1)
            start = time.monotonic()
            assert exchange(client, b"slow") == b"slow"
            assert time.monotonic() - start >= 0.2

    @pytest.mark.timing
    def test_counts_from_the_arrival_of_each_piece(self, proxy: Proxy) -> None:
        with connected(proxy) as client:
            proxy.delay(0.4)
            start = time.monotonic()
            for _ in range(3):
                client.send(b"x")
                time.sleep(0.02)
            assert receive(client, 3) == b"xxx"
            assert 0.84 <= time.monotonic() - start < 1.1

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

    def test_have_their_reset_passed_on(self) -> None:
        def speak_and_reset(connection: socket.socket) -> None:
            connection.sendall(b"goodbye")
            connection.recv(1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        with proxied(speak_and_reset) as proxy, connected(proxy) as client:
            assert receive(client, 7) == b"goodbye"
            client.sendall(b"x")
            with pytest.raises(ConnectionResetError):
                client.recv(1)

    def test_have_their_last_words_delivered(self) -> None:
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
