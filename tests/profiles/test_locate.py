"""Lines of tables and keys, found without the parser's help."""

from __future__ import annotations

from dbtool.profiles.locate import locate


def test_headers_and_keys_have_the_lines_they_are_written_on() -> None:
    lines = locate('default = "a"\n\n[profiles.a]\nengine = "sqlite"\n[profiles.a.pool]\ntimeout = "1s"\n')
    assert lines["default",] == 1
    assert lines["profiles", "a"] == 3
    assert lines["profiles", "a", "engine"] == 4
    assert lines["profiles", "a", "pool", "timeout"] == 6


def test_text_inside_strings_is_no_header() -> None:
    text = '[profiles.a]\nx = """\n[profiles.b]\ny = 1 \\"""\n"""\nz = \'\'\'\n[profiles.c]\n\'\'\'\n'
    text += 'w = "[d] = # \\" "\nv = 2\n'
    lines = locate(text)
    assert ("profiles", "b") not in lines
    assert ("profiles", "c") not in lines
    assert lines["profiles", "a", "w"] == 9
    assert lines["profiles", "a", "v"] == 10


def test_lists_and_inline_tables_may_span_lines() -> None:
    lines = locate("[t]\na = [\n  [1, 2], # ] [x]\n  { b = 1 },\n]\nc = { d = 1, e = [\n1] }\nf = 1\n")
    assert lines["t", "a"] == 2
    assert lines["t", "c"] == 6
    assert lines["t", "f"] == 8
    assert ("t", "b") not in lines


def test_quoted_spaced_and_dotted_keys_are_the_same_keys() -> None:
    lines = locate('[ profiles . "my \\u0061" ]\nx.y = 1\n[profiles.\'b\']\n"q r" = 2\n')
    assert lines["profiles", "my a"] == 1
    assert lines["profiles", "my a", "x", "y"] == 2
    assert lines["profiles", "b", "q r"] == 4


def test_a_header_after_its_own_subtable_is_where_the_table_is() -> None:
    assert locate("[profiles.a.pool]\nx = 1\n[profiles.a]\ny = 1\n")["profiles", "a"] == 3


def test_carriage_returns_do_not_shift_lines() -> None:
    assert locate("a = 1\r\n[b]\r\nc = 1\r\n")["b", "c"] == 3
