# Shared by scripts/demo and scripts/test, which source it: makes `.venv` beside the project. POSIX sh.
# Needs nothing but Python 3.11 or newer with its venv module.

unset CDPATH
cd "$(dirname "$0")/.." || exit 2
PIP_DISABLE_PIP_VERSION_CHECK=1
PIP_DEFAULT_TIMEOUT=60 # seconds of silence, then it asks again, some five times
export PIP_DISABLE_PIP_VERSION_CHECK PIP_DEFAULT_TIMEOUT

fail() {
    echo "$1" >&2
    exit 2
}

# Prints the first Python that is new enough.
find_python() {
    for candidate in ${BRAMA_PYTHON:-} python3 python3.13 python3.12 python3.11 python; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            echo "$candidate"
            return 0
        fi
    done
    return 1
}

# install WHAT: makes the environment if there is none, and installs the project (WHAT: `.` or `.[test]`) if its
# pyproject.toml changed since, or the last installation was smaller. Says what it does; quick when all is there.
install() {
    stamp=".venv/brama-installed"
    wanted="$1 $(cksum <pyproject.toml)"
    if [ ! -x .venv/bin/python ]; then
        python=$(find_python) || fail "Brama needs Python 3.11 or newer (command python3); none was found. / Potrzebny jest Python 3.11 lub nowszy."
        "$python" -c 'import ensurepip, venv' >/dev/null 2>&1 ||
            fail "Python's venv module is missing; on Debian or Ubuntu: apt-get install python3-venv. / Brak modułu venv."
        echo "Making .venv with $("$python" --version) ..." >&2
        "$python" -m venv .venv || fail "Could not make .venv (see above)."
    fi
    if ! grep -qxF "$wanted" "$stamp" 2>/dev/null; then
        echo "Installing Brama and what it needs into .venv (once; about a minute) ..." >&2
        rm -f "$stamp.new"
        .venv/bin/python -m pip install --quiet --editable "$1" || fail "The installation failed (see above)."
        [ "$1" = "." ] || echo ". $(cksum <pyproject.toml)" >"$stamp.new"
        echo "$wanted" >>"$stamp.new"
        mv "$stamp.new" "$stamp"
    fi
}
