"""A site that fetches anything from another host is found out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.site import find_foreign


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("p.html", '<script src="https://cdn.example.com/x.js"></script>'),
        ("p.html", '<script src="//cdn.example.com/x.js"></script>'),
        ("p.html", '<link rel="stylesheet" href="HTTPS://fonts.example.com/css">'),
        ("p.html", '<link rel="preconnect" href="https://fonts.example.com">'),
        ("p.html", '<img src="a.png" srcset="a.png 1x, https://e.example/b.png 2x">'),
        ("p.html", '<video poster="http://e.example/p.png"></video>'),
        ("p.html", '<svg><image xlink:href="https://e.example/i.svg"/></svg>'),
        ("p.html", '<div style="background: url(https://e.example/i.png)"></div>'),
        ("p.html", "<style>@import 'https://e.example/x.css';</style>"),
        ("p.html", '<script>fetch("https://e.example/count")</script>'),
        ("p.html", '<meta http-equiv="refresh" content="0; url=https://e.example/">'),
        ("s.css", "@font-face { src: url('https://fonts.example.com/x.woff2') }"),
        ("s.js", "const s = document.createElement('script'); s.src = 'https://e.example/x.js'"),
    ],
)
def test_a_page_that_fetches_from_another_host_is_named(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    (found,) = find_foreign(tmp_path)
    assert found.startswith(f"{name}: ")


def test_what_is_followed_or_lies_in_the_site_is_not(tmp_path: Path) -> None:
    (tmp_path / "p.html").write_text(
        '<a href="https://e.example/">there</a><script src="_static/x.js"></script>'
        '<svg xmlns="http://www.w3.org/2000/svg"></svg><img src="data:image/svg+xml,<svg/>">'
        "<p>url(https://e.example/i.png)</p>"
    )
    assert list(find_foreign(tmp_path)) == []
