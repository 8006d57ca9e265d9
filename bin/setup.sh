# Sourced by bin/headgate and bin/test. POSIX sh, no bashisms: Debian's /bin/sh is dash.
# `root` is the folder of the repository or of the installed package; $me names the caller in messages.

node_major_min=24
install_lock="$root/.install.lock"
install_wait_s_max=900

say() { printf '%s: %s\n' "$me" "$*" >&2; }

fail() {
  say "$*"
  exit 1
}

# Whether $1 is a Node new enough to run TypeScript. `--version` answers before the engine starts.
is_new_enough() {
  version=$("$1" --version 2>/dev/null) || return 1
  major=${version#v}
  major=${major%%.*}
  case $major in '' | *[!0-9]*) return 1 ;; esac
  [ "$major" -ge "$node_major_min" ]
}

# Sets `node`: the system's when it is new enough, else the one that npm brought.
# An installed package has its dependencies beside itself, a checkout below itself.
find_node() {
  for node in "$(command -v node || true)" "$root/node_modules/node/bin/node" "$root/../node/bin/node"; do
    if [ -n "$node" ] && is_new_enough "$node"; then return 0; fi
  done
  return 1
}

require_node() {
  if find_node; then return 0; fi
  say "needs Node $node_major_min or newer; the system has $(node --version 2>/dev/null || echo none)."
  if [ -f "$root/package-lock.json" ]; then
    say "The npm package 'node' should have brought one, but its install script did not run or failed."
    say "Run 'npm ci --include=dev --ignore-scripts=false' in the repository, and see that 'npm config get"
    say "ignore-scripts' says false and that the machine reaches its package registry."
  fi
  fail "Or install Node $node_major_min on this machine."
}

# The stamp holds the checksum of the lock file that was installed. A node_modules that somebody
# made with npm itself has no stamp, but npm writes .package-lock.json last, so its age tells.
is_installed() {
  [ -d "$root/node_modules" ] || return 1
  if [ -f "$root/node_modules/.headgate-stamp" ]; then
    [ "$(cat "$root/node_modules/.headgate-stamp")" = "$(lock_checksum)" ] && return 0
  fi
  [ -n "$(find "$root/node_modules/.package-lock.json" -newer "$root/package-lock.json" 2>/dev/null)" ]
}

lock_checksum() { cksum <"$root/package-lock.json"; }

# Installs what package-lock.json lists, once, however many of us start at the same time.
install_dependencies() {
  # An installed package has no lock file: npm has put its dependencies in place already.
  if [ ! -f "$root/package-lock.json" ] || is_installed; then return 0; fi
  command -v npm >/dev/null || fail "needs npm to install its dependencies; on Debian: apt-get install npm"
  take_install_lock
  trap 'release_install_lock' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  # Another process may have finished the work while we waited.
  if ! is_installed; then
    say "installing dependencies (once)"
    (cd "$root" && npm ci --include=dev --loglevel=error --no-progress --no-update-notifier >&2) ||
      fail "npm ci failed; its reason stands above. Run it again in $root when that is mended."
    lock_checksum >"$root/node_modules/.headgate-stamp"
  fi
  release_install_lock
  trap - EXIT INT TERM
}

# A folder is the lock because mkdir is atomic everywhere; `pid` inside tells who holds it.
take_install_lock() {
  waited_s=0
  while ! mkdir "$install_lock" 2>/dev/null; do
    [ -d "$install_lock" ] || fail "cannot write to $root, so dependencies cannot be installed there."
    holder=$(cat "$install_lock/pid" 2>/dev/null || echo none)
    if is_gone "$holder" && inherit_install_lock "$holder"; then break; fi
    [ "$waited_s" -eq 0 ] && say "waiting for another process that installs dependencies"
    [ "$waited_s" -lt "$install_wait_s_max" ] ||
      fail "gave up waiting; if nothing is being installed, delete $install_lock"
    sleep 1
    waited_s=$((waited_s + 1))
  done
  echo $$ >"$install_lock/pid"
}

# No pid means that the holder is between two lines, or died there: believe it for a while.
is_gone() {
  if [ "$1" = none ]; then [ "$waited_s" -ge 10 ] && return 0 || return 1; fi
  # kill -0 also fails for the process of another user, which /proc still shows.
  ! kill -0 "$1" 2>/dev/null && [ ! -d "/proc/$1" ]
}

# A dead holder's lock is inherited, never deleted: deleting could hit the lock of whoever was faster.
# `after-PID` can be made once per dead holder, so one of all the waiters wins.
inherit_install_lock() {
  mkdir "$install_lock/after-$1" 2>/dev/null || return 1
  [ "$(cat "$install_lock/pid" 2>/dev/null || echo none)" = "$1" ] && return 0
  rmdir "$install_lock/after-$1"
  return 1
}

# Renamed first: nobody may see a lock that is half deleted.
release_install_lock() {
  mv "$install_lock" "$install_lock.$$" 2>/dev/null && rm -rf "$install_lock.$$"
  return 0
}
