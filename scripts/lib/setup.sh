# shellcheck shell=bash
# What scripts/setup, scripts/demo and scripts/test have in common: bring Node, the npm packages and, where wanted, Debian packages.
# Source it with the working directory at the top of the repository. Everything is skipped that is there already.

say() { printf '%s\n' "$*" >&2; }

fail() {
  say "error: $1"
  say "hint: $2"
  exit 1
}

# npm as a script wants it: quiet, and not waiting five minutes for an answer that got lost.
run_npm() {
  npm "$@" --no-audit --no-fund --loglevel=error --fetch-timeout=60000 >&2
}

start_node() { .toolchain/node_modules/.bin/node --version; }

# Node of the version that package.json pins, in .toolchain, first on PATH: the machine's own only has to start npm.
bring_node() {
  local tool version
  for tool in git node npm; do
    command -v "$tool" >/dev/null || fail "$tool is not installed" "install git, Node 20 or newer and npm, then run this again"
  done
  version=$(node -p "require('./package.json').devDependencies.node")
  if [[ $(start_node 2>/dev/null) != "v$version" ]]; then
    say "setup: bringing Node $version into .toolchain"
    rm -rf .toolchain
    mkdir -p .toolchain
    # The package's install script is what fetches the binary; npm asks for consent by name.
    printf '{ "private": true, "allowScripts": { "node": true } }\n' >.toolchain/package.json
    run_npm install --prefix .toolchain --no-save "node@$version"
  fi
  start_node >/dev/null 2>&1 || install_debian_packages libatomic1 libstdc++6 # which a minimal Debian lacks
  start_node >/dev/null || fail "Node $version does not start" "install the library that the line above names"
  export PATH="$PWD/.toolchain/node_modules/.bin:$PWD/node_modules/.bin:$PATH"
}

# The npm packages exactly as package-lock.json has them.
bring_npm_packages() {
  local stamp=node_modules/.lock-digest digest
  digest=$(sha256sum <package-lock.json)
  if [[ $(cat "$stamp" 2>/dev/null) != "$digest" ]]; then
    say "setup: installing npm packages"
    run_npm ci
    printf '%s\n' "$digest" >"$stamp"
  fi
}

# The Debian packages that tests need as real counterparts; scripts/lib/debian-packages says why each.
# As root they are installed, otherwise they are named: tests that need a missing one are skipped then, except in CI.
bring_debian_packages() {
  local name missing=()
  command -v dpkg-query >/dev/null || {
    say "setup: this is no Debian; tests that need its tools are skipped"
    return 0
  }
  while read -r name _; do
    [[ -z $name || $name == \#* ]] && continue
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null) == installed ]] || missing+=("$name")
  done <scripts/lib/debian-packages
  ((${#missing[@]} > 0)) || return 0
  install_debian_packages "${missing[@]}"
}

# As root install the packages, otherwise name them.
install_debian_packages() {
  if [[ $(id -u) != 0 ]]; then
    say "setup: not installed: $*"
    say "hint: sudo apt-get update && sudo apt-get install --no-install-recommends $*"
    return 0
  fi
  say "setup: installing Debian packages: $*"
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update -q && apt-get install -q -y --no-install-recommends "$@"; } >&2
}
