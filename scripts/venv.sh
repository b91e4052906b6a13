# Sourced, not run: makes the project's own environment, and leaves it alone while it still fits.
#
#   prepare_venv ROOT [GROUP…]    ROOT/.venv then holds cadencebus (editable) and these dependency groups; sets VENV
#
# Wants a Python 3.11+ with venv, found by trying; PYTHON=… names one instead. All it says goes to standard error.

_pythons=${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}

prepare_venv() {
  _root=$1
  shift
  VENV="$_root/.venv"
  _venv_fits || _make_venv || return 1
  # What is installed follows from these two files: edit one, and the next call installs anew.
  _recipe=$(cat "$_root/pyproject.toml" "$_root/bin/cadence" | cksum)
  for _part in package "$@"; do
    [ "$(cat "$VENV/installed/$_part" 2>/dev/null)" = "$_recipe" ] && continue
    _install "$_part" || return 1
    case $VENV in *" "*) _quote_interpreter ;; esac
    mkdir -p "$VENV/installed"
    echo "$_recipe" >"$VENV/installed/$_part"
  done
  # An editable package is compiled as it is imported, and not at all where PYTHONDONTWRITEBYTECODE is set:
  # `cadence enqueue` would pay for that at every call.
  "$VENV/bin/python" -m compileall -q "$_root/cadencebus"
}

# Its place and its interpreter: the scripts in it name both, so it fits nowhere else.
_identity='import sys; print(sys.prefix, sys.base_prefix, sys.version.split()[0])'
_base='import sys; print(sys.base_prefix, sys.version.split()[0])'

_venv_fits() {
  [ -x "$VENV/bin/pip" ] && [ -f "$VENV/made-for" ] || return 1
  [ "$("$VENV/bin/python" -c "$_identity" 2>/dev/null)" = "$(cat "$VENV/made-for")" ] || return 1
  [ -z "${PYTHON:-}" ] || [ "$("$PYTHON" -c "$_base" 2>/dev/null)" = "$("$VENV/bin/python" -c "$_base")" ]
}

_make_venv() {
  _python=$(_find_python) || return 1
  echo "venv: making $VENV with $("$_python" --version)" >&2
  "$_python" -m venv --clear "$VENV" >&2 || return 1
  "$VENV/bin/python" -c "$_identity" >"$VENV/made-for"
}

# A name on PATH proves little (a shim may stand for a version that is not there): each is really run.
_find_python() {
  _lame=
  for _candidate in $_pythons; do
    "$_candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || continue
    "$_candidate" -c 'import ensurepip, venv' >/dev/null 2>&1 && echo "$_candidate" && return
    _lame=$_candidate
  done
  if [ -n "$_lame" ]; then
    echo "venv: $_lame can't make environments; on Debian and Ubuntu: apt install python3-venv" >&2
  else
    echo "venv: none of these is Python 3.11 or newer: $_pythons" >&2
    echo "venv: install one (apt, brew, python.org), or name the one you have: PYTHON=/path/to/python3 $0" >&2
  fi
  return 1
}

# pip learnt --group long after 23, which a fresh Python 3.11 brings along: the table is read here.
_group='import sys, tomllib
for line in tomllib.load(open(sys.argv[1], "rb"))["dependency-groups"][sys.argv[2]]: print(line.replace(" ", ""))'

_install() {
  echo "venv: installing $1" >&2
  if [ "$1" = package ]; then
    set -- "$1" --editable "$_root"
  else
    # One requirement a line and none with blanks in it, so that splitting is right.
    # shellcheck disable=SC2046
    set -- "$1" $("$VENV/bin/python" -c "$_group" "$_root/pyproject.toml" "$1")
  fi
  _what=$1
  shift
  "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check "$@" >&2 && return
  echo "venv: pip could not install $_what; is a package index in reach? What it said stands above" >&2
  return 1
}

# pip writes the interpreter's path behind `#!` as it is, where a blank ends it: let a shell quote it.
_quote_interpreter() {
  {
    printf "#!/bin/sh\n'''exec' \"%s\" \"\$0\" \"\$@\"\n' '''\n" "$VENV/bin/python"
    tail -n +2 "$_root/bin/cadence"
  } >"$VENV/bin/cadence"
}
