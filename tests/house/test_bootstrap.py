"""Set-up ends in one clear sentence where it cannot go on, and stays out of the server's stdout."""

import subprocess
import sys

from tests.house.source import ROOT

PRETEND = "import runpy, sys; {trick}; runpy.run_path('bootstrap.py', run_name='__main__')"


def bootstrap(trick: str, *path: str) -> subprocess.CompletedProcess[str]:
    """Run bootstrap.py under a Python that lacks something; its environment is one that does not exist yet."""
    command = [sys.executable, "-I", "-c", PRETEND.format(trick=trick)]
    env = {"PATH": ":".join(path), "VENV": "build/no-such-environment"}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=30, check=False)


def test_a_missing_venv_module_is_named_with_the_line_that_brings_it() -> None:
    done = bootstrap("sys.modules['ensurepip'] = None")
    assert done.returncode == 1
    assert done.stdout == ""
    assert f"apt-get install -y python{sys.version_info[0]}.{sys.version_info[1]}-venv" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_old_python_is_named() -> None:
    done = bootstrap("sys.version_info = (3, 9, 18, 'final', 0)", "/nowhere")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == "Mailhost needs Python 3.11 or newer; this is 3.9.\n"
