#!/bin/sh
# Every test, on a fresh Debian 12: plain, under AddressSanitizer with UBSan, under ThreadSanitizer, and
# the short forms under valgrind. Ends with the line "N passed, N failed"; the exit status says the same.
# Root is needed for loop devices and for hiding /dev/fuse: without it, this asks sudo.
set -eu

cd "$(dirname "$0")/.."
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null || { echo "Run this as root, or install sudo." >&2; exit 1; }
	exec sudo tests/run.sh "$@"
fi

. tests/packages.sh
need $packages_build $packages_demo $packages_test

builds=build-test
rm -rf "$builds"
mkdir "$builds"

# view NAME SETUP [MESON OPTION...]: builds in a directory of its own and runs its tests. A failure is
# counted at the end, by what the logs hold: here nothing stops.
view()
{
	name=$1 setup=$2
	shift 2
	printf '\n=== %s\n' "$name"
	directory=$builds/$name
	[ -d "$directory" ] || meson setup --werror "$directory" "$@" >"$builds/$name.log" 2>&1 &&
		ninja -C "$directory" --quiet >>"$builds/$name.log" 2>&1 || {
		tail -n 50 "$builds/$name.log"
		return 0
	}
	# Without address space randomisation: gcc 12's ThreadSanitizer does not start on kernels with more of it.
	setarch -R meson test -C "$directory" --no-rebuild --setup "$setup" --logbase "$setup" \
		--print-errorlogs || :
}

view plain plain
view asan asan -Db_sanitize=address,undefined
view tsan tsan -Db_sanitize=thread
ln -s plain "$builds/valgrind"
view valgrind valgrind

echo
exec python3 tests/tally.py plain="$builds/plain/meson-logs/plain.json" \
	asan="$builds/asan/meson-logs/asan.json" \
	tsan="$builds/tsan/meson-logs/tsan.json" \
	valgrind="$builds/plain/meson-logs/valgrind.json"
