#!/bin/sh
# Installs what the tests need and this machine lacks, and says so: a headless
# browser for the end-to-end tests, npm for the accessibility checker that runs
# in it and for programs that talk to the server, curl and jq, a C compiler for
# the race detector and the model, the model checker Spin, the database servers
# that the stores are tested on, and the reverse proxies that docs/proxies is for.
# The tests start servers of their own, and leave alone those that the system
# runs; on Debian none is started by being installed. Go itself comes from
# https://go.dev/dl; the version is in go.mod.
set -eu

have() { command -v "$1" >/dev/null 2>&1; }

missing=
need() { # command, package
	have "$1" || missing="$missing $2"
}

have go || { echo "Go is missing: install it from https://go.dev/dl" >&2; exit 1; }
have chromium || have chromium-browser || have google-chrome || missing="$missing chromium"
need npm npm
need curl curl
need jq jq
need gcc gcc
need pgrep procps
need redis-server redis-server
have postgres || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || missing="$missing postgresql"
have pgbouncer || [ -x /usr/sbin/pgbouncer ] || missing="$missing pgbouncer"
need spin spin
have nginx || [ -x /usr/sbin/nginx ] || missing="$missing nginx"
have haproxy || [ -x /usr/sbin/haproxy ] || missing="$missing haproxy"
need caddy caddy

if [ -z "$missing" ]; then exit 0; fi

sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
echo "Installing what the tests need:$missing"
if have apt-get; then
	# Debian starts what it installs, unless this says no.
	policy=/usr/sbin/policy-rc.d
	if [ ! -e "$policy" ]; then
		trap '$sudo rm -f "$policy"' EXIT
		printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
		$sudo chmod 755 "$policy"
	fi
	$sudo apt-get update -q
	# shellcheck disable=SC2086 # a list of names
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
elif have dnf; then
	# shellcheck disable=SC2086
	$sudo dnf install -y $missing
elif have apk; then
	# shellcheck disable=SC2086
	$sudo apk add $missing
elif have brew; then
	# shellcheck disable=SC2086
	brew install $missing
else
	echo "No package manager that this script knows: install$missing by hand." >&2
	exit 1
fi
