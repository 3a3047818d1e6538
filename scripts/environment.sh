# The project's environment: `.venv` in the checkout, made from requirements.lock. Sourced by the scripts beside it.
#
# Sets `root` (the checkout), `python`, and `parallel`, what has pytest use all cores; makes the environment if it is
# missing, incomplete or out of date.
# Everything is said on standard error, because standard output belongs to the tool.

root=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/.." && pwd -P) || exit 1
environment=$root/.venv
python=$environment/bin/python
# A process for each core, each with whole files, so that what the tests of a file share is made once.
parallel=(--numprocesses=logical --maxprocesses=4 --dist=loadfile)
# Written before anything else as "incomplete", and last as what the environment was made from.
stamp=$environment/zoo-environment
log=$environment/set-up.log

say() { printf 'zoo: %s\n' "$*" >&2; }

# What the environment depends on, the checkout's own place included (the scripts in `.venv/bin` hold it).
ingredients() {
  printf '%s\n' "$root"
  cat -- "$root/pyproject.toml" "$root/requirements.lock"
}

ready() {
  [[ -x $python && -f $stamp ]] && compgen -G "$environment/lib/python3*/site-packages/*.dist-info" >/dev/null &&
    ingredients | cmp -s - "$stamp"
}

# Whether an environment that is only out of date can be brought up to date: all of what it held is still there.
sound() { suitable "$python" && "$python" -c 'import pip' 2>/dev/null && ! ingredients | cmp -s - "$stamp"; }

suitable() {
  "$1" -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1
}

# Prints a Python that can make the environment; a name on the PATH may be a shim that does not run.
find_python() {
  local candidate
  if [[ -n ${ZOO_PYTHON:-} ]]; then
    suitable "$ZOO_PYTHON" && printf '%s' "$ZOO_PYTHON" && return
    say "ZOO_PYTHON=$ZOO_PYTHON does not run as Python 3.11, 3.12 or 3.13 with venv and pip; set it to one that does"
    return 1
  fi
  for candidate in python3.11 python3.12 python3.13 python3 python; do
    suitable "$candidate" && printf '%s' "$candidate" && return
  done
  say "no Python 3.11, 3.12 or 3.13 with venv and pip was found; install one" \
    "(Debian: apt install python3.11-venv) or set ZOO_PYTHON to its path"
  return 1
}

# Holds the set-up for this process. The lock goes with the process; a pip it leaves behind keeps it until it ends.
lock() {
  if command -v flock >/dev/null; then
    exec 9<"$root/requirements.lock"
    flock -n 9 || { say "another set-up is running; waiting for it" && flock 9; }
    return
  fi
  local folder=$root/.venv.lock holder told=
  until mkdir -- "$folder" 2>/dev/null; do
    holder=$(cat -- "$folder/pid" 2>/dev/null)
    if [[ -n $holder ]] && ! kill -0 "$holder" 2>/dev/null; then
      rm -rf -- "$folder"
      continue
    fi
    [[ -n $told ]] || say "another set-up is running (its lock is $folder); waiting for it"
    told=yes
    sleep 1
  done
  printf '%s' "$$" >"$folder/pid"
  trap 'rm -rf -- "$root/.venv.lock"' EXIT
}

unlock() {
  if command -v flock >/dev/null; then exec 9<&-; else rm -rf -- "$root/.venv.lock" && trap - EXIT; fi
}

# Fails with the reason in one line; what pip said stays in the log.
give_up() {
  local reason="pip failed: $(grep -a '^ERROR' "$log" | tail -n 1)"
  if grep -aqE 'No space left|Errno 28|Errno 122' "$log"; then
    reason="the disk is full; free 4 GB"
  elif grep -aqE 'connection broken|Temporary failure in name|Network is unreachable|from versions: none' "$log"; then
    reason="the package index cannot be reached; connect to the network (or set PIP_INDEX_URL to a mirror)"
  fi
  say "set-up stopped: $reason, then run the same command again; details: $log"
  return 1
}

# Shows pip's progress as one line that is written over; a file or a pipe gets no such line.
progress() {
  local line count=0 width=$((${COLUMNS:-80} - 8)) clear=$'\r\e[K'
  while IFS= read -r line; do
    [[ -t 2 ]] || continue
    case $line in
      Collecting* | 'Requirement already'*) line=${line#Collecting } line="package $((++count)): ${line%% *}" ;;
      'Installing collected'*) line="unpacking $count packages, the longest part" ;;
      *) continue ;;
    esac
    printf '%szoo: %s' "$clear" "${line:0:width}" >&2
  done
  [[ -t 2 ]] && printf '%s' "$clear" >&2
  return 0
}

install() {
  # PIP_USER and its like would send the packages elsewhere.
  env -u PIP_USER -u PIP_TARGET -u PIP_PREFIX -u PIP_REQUIRE_HASHES "$python" -m pip install \
    --disable-pip-version-check --no-input --no-compile --retries 2 "$@" 2>&1 | tee -a -- "$log" | progress
  [[ ${PIPESTATUS[0]} == 0 ]]
}

# Byte code for every package, on all cores (pip would take one). A few packages carry files that are no valid Python.
compile() { "$python" -m compileall -qq -j 0 "$environment/lib" >>"$log" 2>&1 || true; }

# An empty environment, with our mark in it before anything else.
start_afresh() {
  local base=$1
  rm -rf -- "$environment" && mkdir -- "$environment" && echo incomplete >"$stamp" || return 1
  say "making $environment with $("$base" --version) ($(type -P "$base"))"
  "$base" -m venv "$environment" >>"$log" 2>&1 && return
  say "set-up stopped: $base cannot make the environment; details: $log"
  return 1
}

enough_space() {
  local free
  free=$(df -Pk -- "$root" | awk 'END { print int($4 / 1024) }')
  ((free >= 4096)) && return
  say "set-up needs 4 GB on the disk of $root, $free MB are free; free some and run the same command again"
  return 6
}

# Makes the environment, or brings it up to date. An interrupted attempt is thrown away, since pip takes a package that
# was cut short for installed; finished downloads are in pip's cache.
set_up() {
  local began=$SECONDS base
  ready && return
  if [[ -x $python && -f $stamp && $(head -n 1 -- "$stamp") == "$root" ]] && sound; then
    say "requirements.lock or pyproject.toml changed: bringing $environment up to date"
    echo incomplete >"$stamp"
  elif [[ -e $environment/pyvenv.cfg && ! -e $stamp ]]; then
    say "$environment was not made by this script; move it away and run the same command again"
    return 1
  else
    base=$(find_python) || return 1
    [[ -f $stamp ]] && say "the environment was moved, damaged or not finished: it is made anew"
    say "TensorFlow and the other packages are installed into this checkout, once:" \
      "2.7 GB on disk, up to 0.7 GB to download, 1 to 3 minutes on a fast line"
    enough_space && start_afresh "$base" || return
  fi
  install --require-hashes --only-binary :all: -r "$root/requirements.lock" || { give_up; return; }
  install --no-deps --no-build-isolation --no-index --editable "$root" || { give_up; return; }
  compile
  ingredients >"$stamp.new" && mv -f -- "$stamp.new" "$stamp" || return
  say "the environment is ready after $((SECONDS - began)) s"
}

if ! ready; then
  trap 'say "set-up interrupted; run the same command again, finished downloads are kept"; exit 130' INT
  trap 'say "set-up terminated; run the same command again, finished downloads are kept"; exit 143' TERM
  lock
  set_up || exit
  unlock
  trap - INT TERM
fi
