"""How a command line starts: version, help, global options, commands of other plugins, exit codes, errors."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import lamina as package
from lamina_cli._run import tree

COMMAND = """
import sys
from lamina.hookspecs import hookimpl

def configure(parser):
    {arguments}

def run(arguments):
    {body}

@hookimpl
def register_command(register):
    register("{name}", "does something of its own", configure, run)
"""


def command(name="greet", arguments="pass", body="return 0"):
    return COMMAND.format(name=name, arguments=arguments, body=body)


def process(*argv, **kwargs):
    return subprocess.run(
        [sys.executable, "-m", "lamina_cli", *map(str, argv)], capture_output=True, timeout=100, **kwargs
    )


class TestVersion:
    def test_it_is_that_of_lamina(self, lamina):
        for line in (["--version"], ["-V"], ["--debug", "--version"]):
            done = lamina(*line)
            assert (done.code, done.out) == (0, f"lamina {package.__version__}\n")

    def test_asking_for_it_imports_next_to_nothing(self):
        code = "import sys; b = set(sys.modules); from lamina_cli import main; main(['--version']); print(*sorted(set(sys.modules) - b))"  # fmt: skip
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        loaded = done.stdout.splitlines()[1].split()
        assert [m for m in loaded if m.partition(".")[0] in ("attrs", "attr", "pluggy", "argparse", "asyncio", "rich")] == []  # fmt: skip
        assert [m for m in loaded if m.startswith("lamina")] == ["lamina", "lamina_cli"]

    def test_python_runs_it_as_a_module(self):
        done = process("--version")
        assert (done.returncode, done.stdout.decode()) == (0, f"lamina {package.__version__}\n")


class TestHelp:
    def test_it_lists_the_commands_of_every_plugin(self, lamina, installed):
        installed("acme-greeter", command())
        done = lamina("--help")
        assert done.code == 0
        for name in ("pack", "recall", "expand", "explain", "sessions", "import", "export", "doctor", "greet"):
            assert f"  {name} " in done.out

    def test_no_command_at_all_is_wrong_use_and_shows_the_help(self, lamina):
        done = lamina()
        assert (done.code, done.raw) == (2, b"")
        assert "usage: lamina" in done.err

    @pytest.mark.parametrize("name", ["pack", "recall", "expand", "explain", "sessions", "import", "export",
                                      "remember", "consolidate", "plugins", "config", "doctor"])  # fmt: skip
    def test_every_command_has_its_own(self, lamina, name):
        done = lamina(name, "--help")
        assert done.code == 0
        assert f"usage: lamina {name}" in done.out
        assert "--home DIR" in done.out


class TestGlobalOptions:
    def test_they_stand_before_or_after_the_command(self, lamina, tmp_path):
        before = lamina("--namespace", "a", "--set", "window.budget=77", "config", "--json").json
        after = lamina("config", "--json", "--namespace=a", "--set", "window.budget=77").json
        assert before == after
        assert {"path": "window.budget", "value": 77, "origin": "argument"} in before["values"]
        assert {"path": "namespace", "value": "a", "origin": "argument"} in before["values"]

    def test_set_is_repeated_on_both_sides_and_the_last_counts(self, lamina):
        done = lamina("--set", "window.budget=1", "--set", "window.strict=true", "config", "--set", "window.budget=2", "--json")  # fmt: skip
        values = {v["path"]: v["value"] for v in done.json["values"]}
        assert (values["window.budget"], values["window.strict"]) == (2, True)

    def test_home_is_taken_from_the_working_folder(self, lamina, tmp_path):
        lamina("--home", "here", "remember", "a thing")
        assert (tmp_path / "work" / "here" / "lamina.db").is_file()
        assert not (tmp_path / "data").exists()

    def test_a_namespace_hides_what_another_holds(self, lamina, recorded):
        assert lamina("import", recorded()).code == 0
        assert lamina("sessions", "--json", "--namespace", "other").json == {"sessions": []}
        assert [s["id"] for s in lamina("sessions", "--json").json["sessions"]] == ["demo"]

    def test_config_names_the_file(self, lamina, tmp_path):
        (tmp_path / "mine.toml").write_text("[window]\nbudget = 5\n")
        done = lamina("config", "--config", tmp_path / "mine.toml", "--json")
        assert {"path": "window.budget", "value": 5, "origin": str(tmp_path / "mine.toml")} in done.json["values"]

    def test_values_are_toml_where_they_can_be_and_text_elsewhere(self):
        made = tree(["window.pager=keep-last", "window.budget=7", "memory.tiers=[]", "home=7", "seed=7", "a.b=x=y"])
        assert made == {"window": {"pager": "keep-last", "budget": 7}, "memory": {"tiers": []},
                        "home": "7", "seed": 7, "a": {"b": "x=y"}}  # fmt: skip

    @pytest.mark.parametrize("text", ["window.budget", "=3", "window..budget=3", "a=1 a.b=2"])
    def test_what_is_no_setting_is_wrong_use(self, lamina, text):
        done = lamina("sessions", *(arg for part in text.split() for arg in ("--set", part)))
        assert done.code == 2
        assert done.err.startswith("lamina: --set ")

    def test_a_command_keeps_an_option_of_the_same_name_for_itself(self, lamina, installed):
        installed("acme-greeter", command(
            arguments="parser.add_argument('--config', nargs='*')",
            body="sys.stdout.write(f'{arguments.config} {arguments.settings} {arguments.profile}'); return 0",
        ))  # fmt: skip
        Path("a.toml").touch()
        done = lamina("greet", "--set", "window.budget=3", "--config", "a.toml", "b.toml")
        assert (done.code, done.out) == (0, "['a.toml', 'b.toml'] {'window': {'budget': 3}} None")
        done = lamina("--config", "a.toml", "greet")
        assert done.code == 2
        assert "greet has a --config of its own" in done.err

    def test_arguments_and_options_may_be_mixed(self, lamina, recorded):
        recorded("a.json", n=2)
        recorded("b.json", n=3)
        done = lamina("import", "a.json", "--json", "b.json")
        assert [row["session"] for row in done.json["imported"]] == ["a", "b"]

    def test_what_stands_behind_two_dashes_is_no_option(self, lamina):
        done = lamina("recall", "--json", "--", "--debug")
        assert (done.code, done.json["query"]) == (0, "--debug")


class TestCommandsOfOtherPlugins:
    def test_they_run_with_what_the_global_options_say(self, lamina, installed):
        installed("acme-greeter", command(
            arguments="parser.add_argument('who')",
            body="sys.stdout.write(f'{arguments.who} {arguments.settings} {arguments.debug}'); return 7",
        ))  # fmt: skip
        done = lamina("greet", "you", "--namespace", "n")
        assert (done.code, done.out) == (7, "you {'namespace': 'n'} False")

    def test_subcommands_of_theirs_are_understood(self, lamina, installed):
        installed("acme-greeter", command(
            arguments="parser.add_subparsers(dest='what').add_parser('loud').add_argument('--times', type=int)",
            body="sys.stdout.write(f'{arguments.what} {arguments.times}'); return 0",
        ))  # fmt: skip
        assert lamina("greet", "loud", "--times", "3").out == "loud 3"

    def test_a_name_offered_twice_names_both_distributions(self, lamina, installed, recorded):
        installed("zz-packer", command("pack"))
        done = lamina("pack", recorded(n=2))
        assert (done.code, done.raw) == (1, b"")
        assert "command 'pack' is offered by both lamina-cli and zz-packer" in done.err
        assert lamina("pack", "demo.json", "--set", 'plugins.block=["zz-*"]').code == 0

    def test_what_is_blocked_is_not_imported(self, lamina, installed):
        installed("acme-greeter", "raise SystemExit('imported')")
        assert lamina("--set", 'plugins.block=["acme-greeter"]', "greet").err.startswith("lamina: no command 'greet'")
        assert "acme_greeter" not in sys.modules

    def test_a_broken_plugin_stops_nothing_and_is_named_for_an_unknown_command(self, lamina, installed):
        installed("acme-greeter", "import nothing_of_this_name")
        assert lamina("sessions").code == 0
        done = lamina("greet")
        assert done.code == 2
        assert "acme-greeter" in done.err

    def test_a_near_name_is_suggested(self, lamina):
        assert "did you mean 'pack'?" in lamina("pak").err

    def test_nothing_of_others_is_imported_while_the_configuration_cannot_be_read(self, lamina, installed, tmp_path):
        installed("acme-greeter", command())
        (tmp_path / "work" / "lamina.toml").write_text("[plugins\nblock = 1")
        done = lamina("greet")
        assert done.code == 1
        assert "lamina.toml: not valid TOML" in done.err
        assert "acme_greeter" not in sys.modules
        assert lamina("sessions").err.startswith("lamina: configuration: lamina.toml: not valid TOML")
        assert lamina("doctor").code == 1


class TestErrors:
    @pytest.mark.parametrize(("body", "code", "told"), [
        ("from lamina.errors import LaminaError; raise LaminaError('no luck')", 1, "lamina: no luck\n"),
        ("open('nowhere.txt')", 1, "lamina: nowhere.txt: no such file or folder; check the path\n"),
        ("open('.')", 1, "lamina: .: is a folder; name the files in it\n"),
        ("raise PermissionError(13, 'Permission denied', 'x')", 1, "lamina: x: permission denied; check whose it is and its mode (ls -l)\n"),
        ("raise NotADirectoryError(20, 'Not a directory', 'x')", 1, "lamina: x: part of the path is a file, not a folder; check the path\n"),
        ("raise OSError(28, 'No space left on device')", 1, "lamina: No space left on device\n"),
        ("raise MemoryError", 1, "lamina: out of memory; give the input in smaller files\n"),
        ("raise ExceptionGroup('g', [ValueError('a'), KeyError('b')])", 1, "lamina: unexpected ValueError: a; run it again with --debug"),
        ("raise RuntimeError", 1, "lamina: unexpected RuntimeError; run it again with --debug"),
        ("raise KeyboardInterrupt", 130, "lamina: interrupted\n"),
        ("raise BrokenPipeError", 1, ""),
        ("raise SystemExit(5)", 5, ""),
    ])  # fmt: skip
    def test_each_is_one_line_and_an_exit_code(self, lamina, installed, body, code, told):
        installed("acme-greeter", command(body=body))
        done = lamina("greet")
        assert done.code == code
        assert done.err.startswith(told)
        assert "Traceback" not in done.err
        assert done.err.count("\n") == (1 if told else 0)

    def test_debug_shows_where_it_came_from(self, lamina, installed):
        installed("acme-greeter", command(body="raise RuntimeError('deep inside')"))
        done = lamina("greet", "--debug")
        assert done.code == 1
        assert "Traceback" in done.err
        assert "acme_greeter.py" in done.err
        assert done.err.splitlines()[-1].startswith("lamina: unexpected RuntimeError: deep inside")

    def test_five_errors_of_the_configuration_are_told_at_once(self, lamina, tmp_path):
        (tmp_path / "work" / "lamina.toml").write_text(
            "nonsense = 1\n[window]\nbudget = -5\npager = 'keep-lats'\nstrict = 'yes'\n[storages.main]\nuse = 'nosuch'\n"
        )
        done = lamina("sessions")
        assert done.code == 1
        assert done.err.startswith("lamina: configuration has 5 errors:\n")
        for said in (
            "nonsense: unknown",
            "window.budget: -5",
            "keep-last",
            "window.strict: 'yes'",
            "storages.main.use",
        ):
            assert said in done.err

    def test_a_missing_plugin_says_what_is_installed_and_what_to_install(self, lamina):
        done = lamina("sessions", "--set", "window.counter=abacus")
        assert done.code == 1
        assert "no counter named 'abacus'; installed: " in done.err
        assert "lamina-counter-abacus" in done.err

    def test_each_kind_of_part_may_be_missing(self, lamina):
        for setting in ("window.scorer", "calls.executor"):
            assert "named 'nosuch'" in lamina("sessions", "--set", f"{setting}=nosuch").err

    def test_a_missing_configuration_file_is_said(self, lamina):
        done = lamina("sessions", "--config", "nowhere.toml")
        assert (done.code, done.err) == (1, "lamina: configuration: nowhere.toml: no such file; give the path of a lamina.toml\n")  # fmt: skip

    @pytest.mark.parametrize("line", [["pack"], ["pack", "x", "--budget"], ["pack", "x", "--wrong"], ["--wrong"],
                                      ["--wrong", "pack"], ["remember", "x", "--kind", "odd"],
                                      ["recall", "x", "--limit", "0"], ["recall", " "], ["remember", ""],
                                      ["remember", "x", "--importance", "2"], ["remember", "x", "--importance", "high"]])  # fmt: skip
    def test_wrong_use_is_exit_code_2_and_one_line(self, lamina, line):
        done = lamina(*line)
        assert (done.code, done.raw) == (2, b"")
        assert done.err.startswith("lamina: ")
        assert done.err.count("\n") == 1

    @pytest.mark.parametrize("unbuffered", ["", "1"])
    def test_a_reader_that_goes_away_is_no_error_to_speak_of(self, lamina, recorded, unbuffered):
        assert lamina("import", recorded(n=400)).code == 0
        running = subprocess.Popen(
            [sys.executable, "-m", "lamina_cli", "export", "demo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )  # fmt: skip
        running.stdout.read(10)
        running.stdout.close()
        err = running.stderr.read()
        running.stderr.close()
        assert (running.wait(60), err) == (1, b"")

    def test_an_interrupt_is_130(self, installed, tmp_path):
        installed("acme-greeter", command(body="print('ready', flush=True); import time; time.sleep(60); return 0"))
        environ = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
        with subprocess.Popen(
            [sys.executable, "-m", "lamina_cli", "greet"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
        ) as running:  # fmt: skip
            assert running.stdout.readline() == b"ready\n"
            running.send_signal(signal.SIGINT)
            _, err = running.communicate(timeout=60)
        assert (running.returncode, err) == (130, b"lamina: interrupted\n")


class TestProcesses:
    @pytest.mark.parametrize("unbuffered", ["", "1"])
    def test_large_output_arrives_whole(self, recorded, lamina, unbuffered):
        source = recorded(n=400)
        assert lamina("import", source).code == 0
        exported = process("export", "demo", env={**os.environ, "PYTHONUNBUFFERED": unbuffered})
        assert json.loads(exported.stdout)["messages"] == json.loads(source.read_bytes())

    def test_one_process_packs_what_the_next_one_expands(self, recorded, chat):
        source = recorded(n=20)
        packed = process("pack", source, "--budget", "900", "--json", "--set", "window.pager=compact")
        assert packed.returncode == 0, packed.stderr
        assert any(r["rendition"] == "digest" and r["first"] <= 2 for r in json.loads(packed.stdout)["ledger"])
        source.unlink()
        expanded = process("expand", "demo#2", "--raw")
        assert (expanded.returncode, expanded.stdout) == (0, json.dumps(chat(20)[1]).encode() + b"\n")

    def test_text_that_the_terminal_cannot_show_does_not_stop_the_command(self, lamina, recorded):
        recorded(messages=[{"role": "user", "content": "日本語 → ü"}])
        environ = {**os.environ, "PYTHONIOENCODING": "ascii"}
        done = process("pack", "demo.json", env=environ)
        assert done.returncode == 0
        assert json.loads(done.stdout)[0]["content"] == "日本語 → ü"
        done = process("expand", "1", env=environ)
        assert (done.returncode, done.stdout) == (0, b"??? ? ?\n")
