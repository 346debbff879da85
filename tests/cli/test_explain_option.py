"""rdmf query --explain: which words make the best moment stand out."""

from __future__ import annotations


def test_the_words_stand_on_stderr(run):
    done = run("query", "--example", "old coins", "--encoder", "embedded", "--explain", "--json")
    assert done.returncode == 0
    assert "stands out by: " in done.stderr
    assert "coins +" in done.stderr
    assert "stands out" not in done.stdout


def test_a_query_of_words_and_pictures_is_not_explained(run):
    done = run("query", "--example", "old coins", "--subtract", "a dog", "--explain")
    assert done.returncode == 2
    assert "--explain works only for queries in words" in " ".join(done.stderr.split())
