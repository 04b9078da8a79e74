"""The sample session's windows change when somebody means them to, and then in a diff that can be read."""

import importlib.util
from pathlib import Path

spec = importlib.util.spec_from_file_location("_golden", Path(__file__).with_name("_golden.py"))
golden = importlib.util.module_from_spec(spec)
spec.loader.exec_module(golden)


def test_the_sample_sessions_windows_are_what_they_were():
    assert golden.made() == golden.FILE.read_text("utf-8"), "if that is meant, write them anew: nox -s golden"
