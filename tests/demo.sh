#!/bin/sh
# A first look, on a fresh Debian 12: builds cm4fs, mounts a simulated Compute Module, copies a real disk
# image onto it with cp, and compares the simulated eMMC with the image from outside.
set -eu

cd "$(dirname "$0")/.."
. tests/packages.sh
need $packages_build $packages_demo

say()
{
	printf '\n\033[1m%s\033[0m\n' "$*"
}

# show COMMAND...: prints it as a person would type it, and runs it.
show()
{
	printf '$ %s\n' "$*"
	"$@"
}

work=$(mktemp -d)
copy=

clean_up()
{
	status=$?
	trap - EXIT HUP INT TERM
	[ -z "$copy" ] || kill "$copy" 2>/dev/null || :
	fusermount3 -q -u -z "$work/mnt" 2>/dev/null || :
	rm -rf "$work"
	[ "$status" -eq 0 ] || echo "The demonstration did not end well (status $status)." >&2
	exit "$status"
}
trap clean_up EXIT
trap 'exit 130' HUP INT TERM

say "Building cm4fs (build/)"
[ -f build/build.ninja ] || quietly meson setup build
quietly ninja -C build fs/cm4fs

image=$PWD/tests/image.sh
PATH=$PWD/build/fs:$PATH
cd "$work"
mkdir mnt media

say "Making a disk image: partition table, FAT, ext4, real files"
quietly sh "$image" my-system.img 256
sfdisk -l my-system.img | sed -n '/Device/,$p'

say "Mounting one simulated module"
show cm4fs --simulate=dir=media mnt
show ls mnt
module=$(jq -r '.modules[0].serial' mnt/status.json)
show ls "mnt/$module"

say "Copying the image onto it; the module is booted first"
echo "\$ cp my-system.img mnt/$module/"
cp my-system.img "mnt/$module/" &
copy=$!
while kill -0 "$copy" 2>/dev/null; do
	jq -r '"\(.state)  " + if .image then "\(.image.bytes_written / 1048576 | floor) MiB written, \(
		.image.bytes_per_second / 1000000 | floor) MB/s" else "" end' "mnt/$module/status.json"
	sleep 1
done
wait "$copy"
copy=
echo "cp's exit status: 0"

say "What the module says of itself"
show cat "mnt/$module/DETAILS.TXT"

say "The simulated eMMC, seen from outside, and the file read back"
show cmp -n "$(stat -c %s my-system.img)" my-system.img "media/$module-mmcblk0.img"
show cmp my-system.img "mnt/$module/my-system.img"
echo "Both are the image, byte for byte."

say "Unmounting"
show fusermount3 -u mnt
