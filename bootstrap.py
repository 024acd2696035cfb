"""Set-up with nothing but Python: make `.venv`, install what the lock names, put `mailhost` on its path.

`python3 bootstrap.py` installs what the server needs, `python3 bootstrap.py --dev` what the tests need too. Everything
it prints goes to stderr, because the stdout of `make up` belongs to the server. Ends at once while nothing changed.
"""

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys

OLDEST = (3, 11)
CHECKOUT = os.path.dirname(os.path.abspath(__file__))
PATH_FILE = "mailhost.pth"
LAUNCHER = '#!/bin/sh\nexec "$(dirname "$0")/python" -m mailhost "$@"\n'


def say(words):
    """Print one line for the person at the terminal."""
    print(words, file=sys.stderr, flush=True)


def find_python():
    """The interpreter to build on: this one, or a newer one on the path; ends with one sentence where there is none."""
    if sys.version_info[:2] >= OLDEST:
        return sys.executable
    for minor in (13, 12, 11):
        newer = shutil.which("python3.%d" % minor)
        if newer and subprocess.call([newer, "-c", "import ensurepip"], stderr=subprocess.DEVNULL) == 0:
            return newer
    raise SystemExit("Mailhost needs Python 3.11 or newer; this is %d.%d." % sys.version_info[:2])


def require_venv_module():
    """Debian and Ubuntu ship Python without ensurepip: end with the one line that brings it."""
    if importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip"):
        return
    sudo = "" if os.geteuid() == 0 else "sudo "
    raise SystemExit(
        f"This Python cannot make virtual environments. Install what is missing and try again:\n\n"
        f"    {sudo}apt-get install -y python{sys.version_info[0]}.{sys.version_info[1]}-venv\n"
    )


def lock_digest(lock):
    """What the environment must match: the lock, and the place of the checkout."""
    with open(lock, "rb") as file:
        return hashlib.sha256(file.read() + CHECKOUT.encode()).hexdigest()


def make_environment(folder):
    """Create the virtual environment anew; `mailhost` is run from the checkout, not copied."""
    require_venv_module()
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True, stdout=sys.stderr)
    packages = os.path.join(folder, "lib", "python%d.%d" % sys.version_info[:2], "site-packages")
    with open(os.path.join(packages, PATH_FILE), "w", encoding="utf-8") as file:
        file.write(CHECKOUT + "\n")
    launcher = os.path.join(folder, "bin", "mailhost")
    with open(launcher, "w", encoding="utf-8") as file:
        file.write(LAUNCHER)
    os.chmod(launcher, 0o755)


def is_usable(folder):
    """Whether the environment runs, on whichever Python it was made with, and was made for this checkout, here."""
    try:
        with open(os.path.join(folder, "pyvenv.cfg"), encoding="utf-8") as file:
            facts = dict(line.strip().split(" = ", 1) for line in file if " = " in line)
        version = facts["version"].rpartition(".")[0]
        with open(
            os.path.join(folder, "lib", f"python{version}", "site-packages", PATH_FILE), encoding="utf-8"
        ) as file:
            return file.read().strip() == CHECKOUT and os.access(facts["executable"], os.X_OK)
    except (OSError, KeyError):
        return False


def install(folder, name):
    """Bring the environment up to the lock `name`, unless the stamp says that it is."""
    lock = os.path.join(CHECKOUT, name)
    stamp = os.path.join(folder, name + ".installed")
    wanted = lock_digest(lock)
    if is_usable(folder):
        if os.path.exists(stamp):
            with open(stamp, encoding="utf-8") as file:
                if file.read() == wanted:
                    return
    else:
        say(f"Setting up {folder} (once; about half a minute) …")
        make_environment(folder)
    pip = [os.path.join(folder, "bin", "python"), "-m", "pip", "--disable-pip-version-check", "install", "-qq"]
    done = subprocess.run([*pip, "--require-hashes", "-r", lock], stdout=sys.stderr, check=False)
    if done.returncode != 0:
        raise SystemExit(
            "The packages could not be installed; pip's own words stand above. Run the same command again."
        )
    with open(stamp, "w", encoding="utf-8") as file:
        file.write(wanted)


def main():
    """Hold a lock on this file, so that two commands started at once do not build into one folder."""
    python = find_python()
    if python != sys.executable:
        os.execv(python, [python, __file__, *sys.argv[1:]])
    with open(__file__, "rb") as myself:
        fcntl.flock(myself, fcntl.LOCK_EX)
        folder = os.path.join(CHECKOUT, os.environ.get("VENV", ".venv"))
        install(folder, "requirements-dev.txt" if "--dev" in sys.argv[1:] else "requirements.txt")


if __name__ == "__main__":
    main()
