"""`dbtool pool-bench`: its options, as Typer reads them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from dbtool.cli import options
from dbtool.cli.lazy import LazyGroup
from dbtool.cli.options import CHECKS, CONNECTING, OUTPUT, SAFETY
from dbtool.errors import UsageError

LOAD = "Load"
POOLS = "Pools"
MORE = "Faults and sizes"

EPILOG = """Examples:

  dbtool pool-bench

  dbtool pool-bench --compare dbtool,peewee,none --threads 8 --connections 4

  dbtool pool-bench --threads 32 --hold 2ms --rate 500

  dbtool pool-bench --script read.sql@9 --script order.sql@1

  dbtool pool-bench --sweep 1..64 --connections 64

  dbtool pool-bench --chaos kill-idle,kill-busy,blackhole

  dbtool pool-bench --pool myapp.db:make_pool --ignore expiry

  dbtool pool-bench --json new.json --baseline main.json --fail-if 'acquire.p99 > 5ms' --fail-if 'throughput < -10%'

  dbtool pool-bench merge host-a.json host-b.json
"""

Html: TypeAlias = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", help="Write a report with figures, in HTML.", rich_help_panel=OUTPUT),
]
Quiet: TypeAlias = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Write the rows and no details.", rich_help_panel=options.COMMON),
]

app = typer.Typer(cls=LazyGroup, add_completion=False, invoke_without_command=True)


@app.callback(epilog=EPILOG)
def pool_bench(
    context: typer.Context,
    pool: Annotated[
        str | None,
        typer.Option(
            "--pool",
            metavar="POOL",
            help="Pool to test: dbtool, peewee, sqlalchemy, psycopg, dbutils, or MODULE:FACTORY; none is a connection "
            "for each thread, connect one for each request.",
            rich_help_panel=POOLS,
        ),
    ] = None,
    compare: Annotated[
        str | None,
        typer.Option(
            "--compare",
            metavar="A,B,...",
            help="Test several pools in turn; the first one decides the status.",
            rich_help_panel=POOLS,
        ),
    ] = None,
    connections: Annotated[
        int | None,
        typer.Option(
            "--connections",
            metavar="N",
            min=1,
            help="Open at most so many at once; without it, the profile's max_connections.",
            rich_help_panel=POOLS,
        ),
    ] = None,
    isolation: Annotated[
        str | None,
        typer.Option(
            "--isolation",
            metavar="transaction|session",
            help="What must not reach the next borrower; without it, as the profile's reset says.",
            rich_help_panel=POOLS,
        ),
    ] = None,
    autocommit: Annotated[
        str | None,
        typer.Option(
            "--autocommit",
            metavar="on|off",
            help="How pools of other libraries, and your own, get their connections.",
            show_default="off",
            rich_help_panel=POOLS,
        ),
    ] = None,
    threads: Annotated[
        int, typer.Option("--threads", metavar="N", min=1, help="Threads of each process.", rich_help_panel=LOAD)
    ] = 16,
    processes: Annotated[
        int,
        typer.Option(
            "--processes",
            metavar="N",
            min=1,
            help="Processes, each with a pool of its own; they share the connections.",
            rich_help_panel=LOAD,
        ),
    ] = 1,
    duration: Annotated[
        float,
        options.seconds("--duration", "How long each pool is loaded.", panel=LOAD, shown="10s"),
    ] = 10.0,
    warm_up: Annotated[
        float,
        options.seconds("--warm-up", "Load before that, which counts for nothing.", panel=LOAD, shown="500ms"),
    ] = 0.5,
    hold: Annotated[
        float,
        options.seconds("--hold", "Keep each connection so much longer than its query takes.", panel=LOAD, shown="0s"),
    ] = 0.0,
    think: Annotated[
        float,
        options.seconds("--think", "Pause of a thread between two requests (closed loop).", panel=LOAD, shown="0s"),
    ] = 0.0,
    rate: Annotated[
        float | None,
        typer.Option(
            "--rate",
            metavar="N",
            help="Requests a second that arrive whether or not others are done (open loop).",
            rich_help_panel=LOAD,
        ),
    ] = None,
    arrivals: Annotated[
        str | None,
        typer.Option(
            "--arrivals",
            metavar="poisson|constant",
            help="How they arrive, with --rate.",
            show_default="poisson",
            rich_help_panel=LOAD,
        ),
    ] = None,
    query: Annotated[
        str | None, typer.Option("--query", metavar="SQL", help="What each request runs.", rich_help_panel=LOAD)
    ] = None,
    script: Annotated[
        list[str] | None,
        typer.Option(
            "--script",
            metavar="FILE[@WEIGHT]",
            help="Run a file's statements in a request; of several, one by its weight. Repeatable.",
            rich_help_panel=LOAD,
        ),
    ] = None,
    writes: Annotated[
        str | None,
        typer.Option(
            "--writes",
            metavar="PERCENT",
            help="Mix reads and so many writes, on a scratch table that is dropped at the end.",
            rich_help_panel=LOAD,
        ),
    ] = None,
    sweep: Annotated[
        str | None,
        typer.Option(
            "--sweep",
            metavar="1..64",
            help="Load pools of these sizes, and recommend one; a list as 1,2,4 will do.",
            rich_help_panel=MORE,
        ),
    ] = None,
    sweep_time: Annotated[
        float | None,
        options.seconds("--sweep-time", "How long each size is loaded.", panel=MORE, shown="3s"),
    ] = None,
    slo: Annotated[
        float | None,
        options.seconds(
            "--slo", "The longest wait for a connection (99th percentile) of a size that is recommended.", panel=MORE
        ),
    ] = None,
    chaos: Annotated[
        str | None,
        typer.Option(
            "--chaos",
            metavar="FAULT,...",
            help="Break something under load: kill-idle, kill-busy, restart, blackhole or latency, as in "
            "kill-idle,blackhole:2s@3s: for how long, and when.",
            rich_help_panel=MORE,
        ),
    ] = None,
    json: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write the whole report as JSON.", rich_help_panel=OUTPUT),
    ] = None,
    html: Html = None,
    baseline: Annotated[
        Path | None,
        typer.Option(
            "--baseline", metavar="FILE", help="The JSON of an earlier run, to compare with.", rich_help_panel=CHECKS
        ),
    ] = None,
    fail_if: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-if",
            metavar="EXPR",
            help="Fail (5) if 'acquire.p99 > 5ms', 'gates.fork == fail', or 'throughput < -10%' of the baseline; "
            "repeatable.",
            rich_help_panel=CHECKS,
        ),
    ] = None,
    gates: Annotated[
        str | None,
        typer.Option(
            "--gates",
            metavar="all|NAME,...",
            help="The gates that make the run fail; the others are only shown.",
            rich_help_panel=CHECKS,
        ),
    ] = None,
    ignore: Annotated[
        str | None,
        typer.Option(
            "--ignore", metavar="NAME,...", help="Gates that do not make the run fail.", rich_help_panel=CHECKS
        ),
    ] = None,
    write: Annotated[
        bool,
        typer.Option(
            "--write",
            help="Allow the test on a protected profile; a script has to name it (--profile, DBTOOL_PROFILE).",
            rich_help_panel=SAFETY,
        ),
    ] = False,
    confirm: options.Confirm = None,
    profiles: options.Profiles = None,
    config: options.Config = None,
    wait: options.Wait = None,
    timeout: Annotated[
        float | None,
        options.seconds("--timeout", "One deadline for everything.", panel=CONNECTING),
    ] = None,
    format_name: options.ListingFormat = None,
    quiet: Quiet = False,
    _debug: options.Debug = False,
) -> None:
    """Test a connection pool under load, and recommend its size.

    Is it correct, is it fair, and how fast is it?

    Thirteen gates check correctness; if one that counts fails, so does the run (status 5).

    One row for each pool goes to stdout, the details to stderr.
    """
    if context.invoked_subcommand is not None:
        _refuse_options(context)
        return
    from dbtool.actions.access import WriteRequest
    from dbtool.actions.connect import Limits
    from dbtool.actions.pool_bench import BenchRequest
    from dbtool.cli.pool_bench.bench import BenchOptions, run_bench
    from dbtool.cli.pool_bench.outputs import OutputRequest
    from dbtool.process import command_environment
    from dbtool.profiles.active.rules import require_one

    request = BenchRequest(
        profile=require_one(profiles),
        config=config,
        pool=pool,
        compare=compare,
        connections=connections,
        isolation=isolation,
        autocommit=autocommit,
        gates=gates,
        ignore=ignore,
        threads=threads,
        processes=processes,
        duration=duration,
        warm_up=warm_up,
        hold=hold,
        think=think,
        rate=rate,
        arrivals=arrivals,
        query=query,
        scripts=script or (),
        writes=writes,
        sweep=sweep,
        sweep_time=sweep_time,
        slo=slo,
        chaos=chaos,
        writing=WriteRequest(write=write, confirm=confirm),
    )
    asked = BenchOptions(
        request=request,
        limits=Limits(timeout=timeout, wait=wait or 0.0, started=time.monotonic()),
        fail_if=fail_if or (),
        baseline=baseline,
        output=OutputRequest(json=json, html=html, format_name=format_name, quiet=quiet),
    )
    run_bench(command_environment(), asked)


def _refuse_options(context: typer.Context) -> None:
    """Refuse options before a subcommand, which would count for nothing."""
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if source is not None and source.name == "COMMANDLINE" and parameter.name != "_debug":
            raise UsageError(
                f"{parameter.opts[0]} before {context.invoked_subcommand} counts for nothing: options of "
                f"{context.invoked_subcommand} stand behind it"
            )


@app.command(epilog="Example:  dbtool pool-bench merge host-a.json host-b.json --json both.json")
def merge(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Reports of the same test, written by --json.")
    ],
    json: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write the merged report as JSON.", rich_help_panel=OUTPUT),
    ] = None,
    html: Html = None,
    format_name: options.ListingFormat = None,
    quiet: Quiet = False,
    _debug: options.Debug = False,
) -> None:
    """Make one report of runs that several hosts made at the same time: rates add up, histograms merge."""
    from dbtool.cli.pool_bench.bench import run_merge
    from dbtool.cli.pool_bench.outputs import OutputRequest
    from dbtool.process import command_environment

    output = OutputRequest(json=json, html=html, format_name=format_name, quiet=quiet)
    run_merge(command_environment(), files, output)
