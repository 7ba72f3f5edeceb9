#!/bin/sh
# Every test, on a fresh Debian 12: plain, under AddressSanitizer with UBSan, under ThreadSanitizer, and
# the short forms under valgrind. Ends with the line "N passed, N failed"; the exit status says the same.
# It ends within an hour, whatever hangs: what is cut short counts as failed.
# Root is needed for loop devices and for hiding /dev/fuse: without it, this asks sudo.
set -eu

cd "$(dirname "$0")/.."
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null || { echo "Run this as root, or install sudo." >&2; exit 1; }
	exec sudo tests/run.sh "$@"
fi

. tests/packages.sh
need $packages_build $packages_demo $packages_test $packages_vm

builds=build-test
rm -rf "$builds"
mkdir "$builds"

# build NAME [MESON OPTION...]: in a directory of its own.
build()
{
	directory=$builds/$1
	shift
	meson setup --werror "$directory" "$@" && ninja -C "$directory" --quiet
}

minutes=60
deadline=$(($(date +%s) + minutes * 60))
cut=

# view SETUP BUILD: runs one build's tests as one setup says. What fails is counted at the end, by what the
# logs hold; nothing stops here.
#
# Twice as many at a time as there are processors, for most of them wait most of the time.
# Without address space randomisation: gcc 12's ThreadSanitizer does not start on kernels that have more of it.
view()
{
	printf '\n=== %s\n' "$1"
	left=$((deadline - $(date +%s)))
	status=0
	timeout -k 60 "$((left > 1 ? left : 1))" setarch -R meson test -C "$builds/$2" --no-rebuild --setup "$1" \
		--num-processes $(($(nproc) * 2)) --print-errorlogs || status=$?
	[ "$status" -ne 124 ] || cut="$cut --cut=$1"
}

for sanitizer in none address,undefined thread; do
	log=$builds/build-$sanitizer.log
	echo "Building, sanitizers: $sanitizer"
	build "$sanitizer" -Db_sanitize="$sanitizer" >"$log" 2>&1 || tail -n 50 "$log"
done

view plain none
view asan address,undefined
view tsan thread
view valgrind none

echo
# Word by word.
# shellcheck disable=SC2086
exec python3 tests/tally.py $cut plain="$builds/none/meson-logs/testlog-plain.json" \
	asan="$builds/address,undefined/meson-logs/testlog-asan.json" \
	tsan="$builds/thread/meson-logs/testlog-tsan.json" \
	valgrind="$builds/none/meson-logs/testlog-valgrind.json"
